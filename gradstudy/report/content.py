"""report.json: everything a report says, as plain data that the page and the PDF both draw from."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradstudy.claims.claim import Claim, Estimate
from gradstudy.report import edition, papers, profiles, prose, references, words
from gradstudy.report.assess import Assessment, ControlOutcome, Runs, deciding, kind_in_words
from gradstudy.study.evidence import differing
from gradstudy.study.results import RUN_CHARACTERS

if TYPE_CHECKING:
    import pandas as pd

    from gradstudy.report.gallery import Picture
    from gradstudy.study.results import Results, RunSummary
    from gradstudy.study.spec import StudySpec


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Args:
        results: the profile's runs and evidence.
        assessments: the study's claims, decided.
        pictures: the study's figures, drawn.
        files: the tables as bytes, by name.
        tables: the tables as read back.
        stamp: digest of everything the report is a function of.
    """

    results: Results
    assessments: tuple[Assessment, ...]
    pictures: tuple[Picture, ...]
    files: Mapping[str, bytes]
    tables: Mapping[str, pd.DataFrame]
    stamp: str


def report(material: Material) -> dict[str, Any]:
    """The content of report.json."""
    results = material.results
    spec = results.study.spec
    return {
        "schema": edition.SCHEMA,
        "study": results.study.slug,
        "profile": results.profile,
        "title": spec.title,
        **({"authors": spec.authors} if spec.authors else {}),
        **({"year": spec.year} if spec.year else {}),
        "question": prose.parse(spec.question),
        "method": _method(spec, results.profile),
        "date": edition.day().isoformat(),
        "version": edition.version(),
        "summary": _summary(material.assessments),
        "claims": [claim_row(assessment) for assessment in material.assessments],
        "figures": [picture.entry for picture in material.pictures],
        "sources": references.cited(spec.sources, results.study.folder),
        "tables": [_table_row(name, material) for name in sorted(material.files)],
        "runs": runs(results.runs),
        "evidence": results.evidence,
        "drawn_with": edition.libraries(),
        "stamp": material.stamp,
    }


def _method(spec: StudySpec, profile: str) -> list[prose.Block]:
    note = profiles.note(profile) if "standard" in spec.profiles else ""
    return prose.parse(f"*{note}*" if note else "") + prose.parse(spec.method)


def as_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON with exact floats, one form only; numbers that JSON does not know are words."""
    return (json.dumps(_plain(content), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def claim_row(assessment: Assessment) -> dict[str, Any]:
    """All that a reader needs to judge a verdict."""
    claim, estimates = assessment.claim, assessment.measured.estimates
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "source_status": claim.source_status,
        "kind": kind_in_words(claim, estimates),
        "setting": claim.setting,
        "region": {"low": claim.region.low, "high": claim.region.high, "text": words.region(claim.region)},
        "replicate": claim.replicate,
        "groups": list(assessment.groups),
        "verdict": assessment.verdict,
        "reason": assessment.reason,
        "effect": _effect(claim, estimates),
        "estimates": [_estimate(estimate) for estimate in estimates],
        "controls": [_control(outcome) for outcome in assessment.controls],
        "controls_text": _controls_in_words(assessment.controls),
        "runs": str(assessment.runs),
        "error": assessment.measured.error,
    }


def _effect(claim: Claim, estimates: tuple[Estimate, ...]) -> dict[str, Any]:
    chosen = deciding(claim, estimates)
    if chosen is None:
        return {"text": "", "n": "", "condition": "", "conditions": 0}
    counts = sorted({estimate.n for estimate in estimates})
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    return {"text": words.estimate(chosen), "n": n, "condition": chosen.condition, "conditions": len(estimates)}


def _estimate(found: Estimate) -> dict[str, Any]:
    values = {name: float(getattr(found, name)) for name in ("value", "low", "high")}
    words_of_it = {"unit": found.unit, "text": words.estimate(found)}
    return {"condition": found.condition, **values, "n": int(found.n), **words_of_it}


def _control(outcome: ControlOutcome) -> dict[str, Any]:
    claimed = outcome.control
    return {
        "name": claimed.name,
        "plants": claimed.plants,
        "expected": claimed.expect.value,
        "found": outcome.found or outcome.measured.error,
        "as_planted": outcome.as_planted,
        "estimates": [_estimate(estimate) for estimate in outcome.measured.estimates],
        "runs": str(outcome.runs),
    }


def _controls_in_words(controls: tuple[ControlOutcome, ...]) -> str:
    if not controls:
        return "none"
    if all(not outcome.found for outcome in controls):
        return "not measured" if any(outcome.runs.ok for outcome in controls) else "not run"
    planted = sum(outcome.as_planted for outcome in controls)
    return f"{planted} of {len(controls)} as planted"


def _summary(assessments: Iterable[Assessment]) -> list[dict[str, Any]]:
    counts: dict[str, list[str]] = {}
    for assessment in assessments:
        counts.setdefault(assessment.verdict.partition(":")[0], []).append(assessment.claim.id)
    return [{"verdict": verdict, "claims": counts[verdict]} for verdict in papers.VERDICTS if verdict in counts]


def _table_row(name: str, material: Material) -> dict[str, Any]:
    sha256 = hashlib.sha256(material.files[name]).hexdigest()
    return {"name": name, "file": f"tables/{name}.csv", "rows": len(material.tables[name]), "sha256": sha256}


def runs(summaries: Sequence[RunSummary]) -> dict[str, Any]:
    """How the runs ended, and their parameters: the usual value of each once, and a run's own where it differs.

    `form.run_rows` puts them together again.
    """
    usual = _usual_parameters(summaries)
    return {
        "text": str(Runs.of(summaries)),
        "usual": [{"name": name, "value": value, "text": _literal(value)} for name, value in usual.items()],
        "groups": _groups(summaries),
        "differences": _differences(summaries),
        "list": [_run_row(run, usual) for run in summaries],
    }


def _differences(summaries: Sequence[RunSummary]) -> dict[str, Any]:
    """Run to what it used of the code and versions in which the runs differ; empty when all used the same."""
    names = set(differing(run.evidence for run in summaries if run.evidence))
    return {
        run.digest[:RUN_CHARACTERS]: {
            part: {name: value for name, value in used.items() if name in names} for part, used in run.evidence.items()
        }
        for run in summaries
        if run.evidence and names
    }


def _run_row(run: RunSummary, usual: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in run.parameters.items() if _exact(value) != _exact(usual[name])}
    return {
        "run": run.digest[:RUN_CHARACTERS],
        "group": run.group,
        "control": run.control,
        "status": run.status,
        "error": words.failure(run.error or ""),
        "parameters": own,
        "text": ", ".join(f"{name}={_literal(value)}" for name, value in own.items()),
    }


def _usual_parameters(summaries: Sequence[RunSummary]) -> dict[str, Any]:
    """The value of each parameter that most runs have, the first such; in the notebook's order."""
    usual: dict[str, Any] = {}
    for name in summaries[0].parameters if summaries else ():
        counts = Counter(_exact(run.parameters[name]) for run in summaries)
        usual[name] = json.loads(counts.most_common(1)[0][0])
    return usual


def _exact(value: object) -> str:
    """A parameter's value with its type: 1, 1.0 and True are three."""
    return json.dumps(value)


def _groups(summaries: Sequence[RunSummary]) -> list[dict[str, str]]:
    places = dict.fromkeys((run.group, run.control) for run in summaries)
    return [
        {
            "group": group,
            "control": control,
            "text": str(Runs.of(run for run in summaries if (run.group, run.control) == (group, control))),
        }
        for group, control in places
    ]


def _literal(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
