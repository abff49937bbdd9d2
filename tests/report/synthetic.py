"""A small study made up for the tests: its folder, its runs, its claims; as a script it builds the report."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.report.build import build
from gradstudy.study.catalog import Study
from gradstudy.study.ledger import write_entry
from gradstudy.study.outcome import Outcome
from gradstudy.study.plan import make_plan
from gradstudy.study.results import Results, RunSummary
from gradstudy.study.spec import StudySpec

# What each reader of the report could act on: HTML, a script, Typst, CommonMark, LaTeX.
SIGNS = "σ₁(W) < 1/γ ⇒ ‖∂x_t/∂x_k‖ ≤ ηᵗ⁻ᵏ, ρ → λ₁, ∏ Wᵀ diag σ′(x), 10⁻⁹, ∞, ∑, √T, ½, −0.01, ∈ ℝⁿ, ≈ ± · × ∂⁺"
HOSTILE = '<script>alert("x")</script> <b>bold</b> #import "evil.typ" $x$ ] [ \\ 50 % of a_b & c'

FIGURES = '''
"""Figures of the made-up study."""

import numpy as np

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing


def growth(rates):
    """Growth <script>alert(1)</script> of the #emph[product] & its $bound$."""
    figure, axes = style.subplots()
    for activation, rows in rates[rates["control"] == ""].groupby("activation"):
        axes.plot(rows["seed"], rows["rate"], "o", label=activation)
    axes.set(xlabel="seed", ylabel="growth (nats per step)")
    axes.legend(title="activation")
    caption = "Growth of the *product* for <b>each</b> seed. `#import \\"evil.typ\\"`, n = " + str(len(rates)) + "."
    return Drawing(figure, caption, 'Points "scattered" about 0.27 <i>')


def spectrum(rates, spectra):
    """Spectrum of the links."""
    figure, panels = style.subplots(1, 2, width=style.FULL, height=2.6)
    panels[0].hist(spectra["value"], bins=20, color=style.BLUE)
    panels[0].set(xlabel="singular value", ylabel="links")
    panels[1].semilogy(np.arange(40), np.exp(-0.3 * np.arange(40)), color=style.VERMILLION)
    panels[1].set(xlabel="lag", ylabel="norm")
    return Drawing(figure, "Singular values of all links, and their decay.", "A histogram and a falling line.")


def absent(never_recorded):
    """Not to be drawn."""
    raise AssertionError


def _not_a_figure():
    raise AssertionError
'''

SPEC: dict[str, Any] = {
    "title": "Does the made-up product grow? " + HOSTILE,
    "question": "Take a chain of maps with **known** growth. Does the measure find it?\n\n" + HOSTILE,
    "method": "We draw numbers:\n\n1. around 0.27 nats a step;\n2. around zero, for the control.\n\n"
    "> Quoted, with [a link](https://example.org/).\n\n```\ncode <here>\n```\n",
    "sources": ["pascanu2013", "hochreiter1997"],
    "claims": {"M1": ["random"], "M2": ["random"], "M3": ["random"], "M4": ["random"]},
    "profiles": {
        "quick": {"grid": [{"name": "random", "set": {"size": 8}}]},
        "standard": {
            "grid": [{"name": "random", "set": {"size": 8}, "over": {"activation": ["tanh", "relu"], "seed": [0, 1]}}],
            "controls": [{"name": "no-growth", "like": "random", "plant": {"gain": 0.5}}],
        },
    },
}


def growth_rate(tables: Tables) -> tuple[Estimate, ...]:
    """Mean rate for each activation, with an interval of two standard errors."""
    rates = tables["rates"]
    found = []
    for activation, rows in rates.groupby("activation"):
        mean, error = rows["rate"].mean(), rows["rate"].std() / len(rows) ** 0.5
        found.append(
            Estimate(mean, mean - 2 * error, mean + 2 * error, len(rows), "nats per step", f"activation {activation}")
        )
    return tuple(found)


def broken(tables: Tables) -> tuple[Estimate, ...]:
    """A measure with a fault of its own."""
    return (Estimate(tables["rates"]["no such column"].mean(), 0, 1, 1, ""),)


def unrecorded(tables: Tables) -> tuple[Estimate, ...]:
    """A measure of a table that no run left."""
    return (Estimate(tables["nothing"]["x"].mean(), 0, 1, 1, ""),)


M1 = Claim(
    id="M1",
    source="pascanu2013: Eq. 6-7",
    source_status="read",
    kind="rate",
    statement="The product grows by more than 0.2 nats a step for every activation, " + HOSTILE,
    setting="Made-up numbers instead of networks; lengths cut from 2,000 to 2. " + HOSTILE,
    region=Region(low=0.2),
    replicate="an independently drawn number",
    measure=growth_rate,
    controls=(Control("no-growth", "gain halved, so nothing grows", Verdict.REFUTED),),
)
CLAIMS = {
    "M1": M1,
    "M2": replace(
        M1, id="M2", kind="theorem", statement=f"The product never grows: {SIGNS}.", region=Region(high=0.01)
    ),
    "M3": replace(M1, id="M3", statement="A measure fails.", measure=broken),
    "M4": replace(M1, id="M4", statement="A table is not there.", measure=unrecorded, controls=()),
}


def write_study(folder: Path) -> Study:
    """The study's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.py").write_text(FIGURES, encoding="utf-8")
    return Study("made-up", folder, StudySpec.model_validate(SPEC))


@dataclass(frozen=True)
class Recipe:
    """What of the results should be there."""

    controls: bool = True
    failed: int = 0


def results(study: Study, recipe: Recipe = Recipe(), profile: str = "standard") -> Results:
    """Runs and tables as a profile would leave them."""
    plan = [("", 0.27)] + [("no-growth", 0.0)] * recipe.controls
    draws = np.random.default_rng(7)
    runs, rates, spectra = [], [], []
    for control, mean in plan:
        for activation in ("relu", "tanh"):
            for seed in range(6):
                name = f"{len(runs):02d}" + "1e5" + "0" * 59  # all digits: must not be read as a number
                status = "failed" if len(runs) < recipe.failed else "ok"
                parameters = {"activation": activation, "seed": seed, "gain": 1.0 if not control else 0.5, "size": 8}
                runs.append(
                    RunSummary(
                        name, "random", control, parameters, status, "ValueError: boom"[: 99 * (status != "ok")] or None
                    )
                )
                if status == "ok":
                    front = {"run": name[:12], "group": "random", "control": control, **parameters}
                    rates.append(front | {"rate": mean + 0.02 * draws.standard_normal()})
                    spectra += [front | {"value": value} for value in draws.standard_normal(20) ** 2]
    tables = {"rates": pd.DataFrame(rates), "spectra": pd.DataFrame(spectra)}
    evidence = {"modules": {"gradstudy.chains.chain": "0" * 64}, "versions": {"python": "3.11.0", "torch": "2.13.0"}}
    return Results(study, profile, tuple(runs), tables, evidence)


NOTEBOOK = """
# %% tags=["parameters"]
activation: str = "tanh"
seed: int = 0
gain: float = 1.0
size: int = 8

# %%
print(activation)
"""


def write_runnable(folder: Path) -> Path:
    """The study's folder with all that `gradstudy run` needs."""
    write_study(folder)
    (folder / "study.yaml").write_text(yaml.safe_dump(SPEC), encoding="utf-8")
    (folder / "notebook.py").write_text(NOTEBOOK, encoding="utf-8")
    return folder


def leave_runs(
    study: Study, workspace: Path, *, seconds: float = 1.0, profile: str = "standard", shift: float = 0.0
) -> None:
    """Run folders as the runs of a profile leave them: rates of about 0.25, of 0 for the control, moved by `shift`."""
    for place, planned in enumerate(make_plan(study, profile, workspace).points):
        (planned.folder / "records").mkdir(parents=True, exist_ok=True)
        rate = planned.point.parameters["gain"] * 0.5 - 0.25 + 0.001 * place + shift
        (planned.folder / "records" / "rates.csv").write_text(f"rate\n{rate}\n")
        request = {"study": study.slug, "digest": planned.digest, "parameters": dict(planned.point.parameters)}
        evidence = {"modules": {}, "versions": {"python": "3.11.0"}}
        details = {"evidence": evidence, "started": seconds, "seconds": seconds}
        write_entry(planned.folder, request, Outcome("ok"), details)


def build_report(folder: Path, recipe: Recipe = Recipe(), find: Callable[[str], Claim] = CLAIMS.__getitem__) -> Path:
    """The study in `folder/studies`, its report in `folder/reports/standard`."""
    study = write_study(folder / "studies" / "made-up")
    target = folder / "reports" / "standard" / "made-up"
    build(results(study, recipe), find, target, "0" * 64)
    return target


if __name__ == "__main__":
    build_report(Path(sys.argv[1]))
