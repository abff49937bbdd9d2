"""Claims P1-P6, P11 and P12 of Pascanu, Mikolov and Bengio, On the difficulty of training RNNs, ICML 2013."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import DESIGN, TOLERANCE
from gradstudy.claims.growing import GROWTH, best_growth, refuse_unmeasured, robust
from gradstudy.claims.intervals import mean_estimate

# Rounding leaves margins up to 1e-14 where the bound is attained; a witness against a theorem must exceed this.
WITNESS = 1e-9
# The adversarial search has to come this near to the bound, in nats per link, or its silence says nothing.
POWER = 1e-3
# Natural logarithms between which a weight gradient looks healthy; decimal logarithm of a ratio that has vanished.
HEALTHY = (math.log(1e-3), math.log(10.0))
VANISHED = -10.0

_SIGMA_CONTROLS = (
    Control("gamma-too-small", "the activation is 1 % steeper than the γ of the bound", Verdict.REFUTED),
    Control("sigma-1-too-small", "the network runs with W 1 % larger than the σ₁ of the bound", Verdict.REFUTED),
    Control("gamma-just-large-enough", "the activation is 0.05 % less steep than γ", Verdict.SUPPORTED),
)


def _groups(tables: Tables, column: str) -> list[tuple[str, pd.DataFrame]]:
    """The networks by the values of a column, sorted; all of the claim's conditions."""
    return [(str(value), rows) for value, rows in tables["networks"].groupby(column, sort=True)]


def _largest_margin(tables: Tables, margin: str, error: str | None) -> tuple[Estimate, ...]:
    """Largest margin over a bound of each activation.

    The interval is NaN, so that nothing is decided, if a margin is not a number, if one above `WITNESS` does not
    survive 50 digits, or if the search lacked power.
    """
    estimates = []
    for activation, rows in _groups(tables, "activation"):
        value = float(rows[margin].max(skipna=False))
        bound = float(rows[error].max(skipna=False)) if error else 1e-12
        if value > WITNESS:
            value, bound = float(rows[f"{margin}_50_digits"].max()), 1e-12
            bound = bound if value > WITNESS else math.nan
        searched = rows[rows["search_steps"] > 0]
        weak = len(searched) == 0 or not searched["component_per_link"].max() >= -POWER
        low, high = (math.nan, math.nan) if weak else (value - bound, value + bound)
        estimates.append(Estimate(value, low, high, len(rows), "nats", activation))
    return tuple(estimates)


def component_margin(tables: Tables) -> tuple[Estimate, ...]:
    """P1: max over networks, k < t of log |dE_t/dx_t dx_t/dx_k| - log |dE_t/dx_t| - (t - k) log(gamma sigma_1)."""
    return _largest_margin(tables, "component_margin", None)


def growth_margin(tables: Tables) -> tuple[Estimate, ...]:
    """P2: max over networks of log sigma_1 of the Jacobian product - T log(gamma sigma_1)."""
    return _largest_margin(tables, "growth_margin", "growth_error")


def witness_growth(tables: Tables) -> tuple[Estimate, ...]:
    """P3: growth of the best network whose rho, perturbed as well, is below 1/gamma and whose growth is robust.

    The interval runs from the least growth over the network's starts, perturbed or not, to the largest unperturbed.
    """
    rows = tables["networks"]
    refuse_unmeasured(rows, ["gamma", "rho", "rho_perturbed", *GROWTH])
    eligible = rows[robust(rows) & (rows["gamma"] * rows[["rho", "rho_perturbed"]].max(axis=1) < 1)]
    return (best_growth(eligible, len(rows), lambda best: f"ρ = {best['rho']:.1e}, σ₁ = {best['sigma_1']:.1f}"),)


def linear_rate_error(tables: Tables) -> tuple[Estimate, ...]:
    """P4: growth rate of a linear network minus log rho, one condition a spectral radius."""
    found = []
    groups = list(
        tables["networks"].groupby(["initialisation", tables["networks"]["rho"].round(6)], sort=True, dropna=False)
    )
    for (initialisation, rho), rows in groups:
        difference = rows["growth"] - np.log(rows["rho"])
        condition = f"ρ = {rho:g}" + (", defective" if initialisation == "defective" else "")
        if initialisation == "defective":  # one matrix: over 2,000 links its norm grows as the number of links
            value = float(difference.iloc[0])
            found.append(Estimate(value, value - 1e-9, value + 1e-9, len(rows), "nats per link", condition))
        else:
            found.append(
                mean_estimate(difference.tolist(), "nats per link", condition=condition, conditions=len(groups))
            )
    return tuple(found)


def disagreement(tables: Tables) -> tuple[Estimate, ...]:
    """P5: how far the two conditions stand on opposite sides (tanh), or below 1 together (sigmoid).

    For the tanh initialisations min(-log(gamma rho), log(gamma sigma_1)); for the sigmoid one -log(gamma sigma_1).
    """
    groups = _groups(tables, "initialisation")
    found = []
    for name, rows in groups:
        vanishing, exploding = -np.log(rows["gamma"] * rows["rho"]), np.log(rows["gamma"] * rows["sigma_1"])
        sigmoid = rows["activation"].iloc[0] == "sigmoid"
        values = -exploding if sigmoid else np.minimum(vanishing, exploding)
        condition = f"{name}: ρ {rows['rho'].mean():.3f}, σ₁ {rows['sigma_1'].mean():.3f}"
        found.append(mean_estimate(values.tolist(), "nats", condition=condition, conditions=len(groups)))
    return tuple(found)


def derivative_rate_gap(tables: Tables) -> tuple[Estimate, ...]:
    """P6: growth rate of the second derivative minus that of the first, polynomial factors t and t(t-1) divided out."""
    found = []
    for weight, rows in tables["derivatives"].groupby("scale", sort=True):
        ends = rows.sort_values("t").iloc[[0, -1]]
        links = float(np.diff(ends["t"])[0])
        first = float(np.diff(ends["log_first"] - ends["log_polynomial_first"])[0]) / links
        second = float(np.diff(ends["log_second"] - ends["log_polynomial_second"])[0]) / links
        gap, error = second - first, 1e-12 * ends["t"].max()
        grows = min(first, second) > TOLERANCE  # "explode together" says nothing where nothing explodes
        condition, error = f"w = {weight:g}", error if grows else math.nan
        found.append(Estimate(gap, gap - error, gap + error, 1, "nats per link", condition))
    return tuple(found)


def hidden_vanishing(tables: Tables) -> tuple[Estimate, ...]:
    """P11: least log10 |dL/ds_1| / |dL/ds_T| among the networks whose |dL/dW_hh| looks healthy."""
    rows = tables["networks"]
    refuse_unmeasured(rows, ["log_weight_gradient", "log_first_over_last"])
    healthy = rows["log_weight_gradient"].between(*HEALTHY)
    if not healthy.any():
        return (Estimate(math.nan, math.nan, math.nan, len(rows), "powers of ten", "no eligible network"),)
    best = rows[healthy].sort_values("log_first_over_last").iloc[0]
    value, error = float(best["log_first_over_last"]) / math.log(10), 1e-6  # float64 adjoint over some hundred links
    condition = ", ".join(str(best[name]) for name in DESIGN)
    condition += f"; |∂L/∂W| = {math.exp(best['log_weight_gradient']):.2g}"
    return (Estimate(value, value - error, value + error, len(rows), "powers of ten", condition),)


def gated_growth(tables: Tables) -> tuple[Estimate, ...]:
    """P12: growth of the best LSTM whose growth is robust; the interval is that of `witness_growth`."""
    rows = tables["growth"]
    refuse_unmeasured(rows, GROWTH)
    return (best_growth(rows[robust(rows)], len(rows), lambda best: f"network {best['network']}"),)


CLAIMS = (
    Claim(
        id="P1",
        source="pascanu2013: section 2.1, Eq. 6-7",
        source_status="read",
        kind="theorem",
        statement="If the largest singular value σ₁ of W is below 1/γ, every temporal component obeys "
        "|∂E_t/∂x_t ∂x_t/∂x_k| ≤ (γσ₁)^(t−k) |∂E_t/∂x_t|, for any input.",
        setting="ICML version (the arXiv v2 speaks of the eigenvalue). Pre-activation networks of 6 units, tanh and "
        "sigmoid, 15 links; for each activation 200 random networks, and 12 ascended by gradient from random weights. "
        "The number is the largest excess over the bound in nats; the supremum 0 is attained, so a witness counts only "
        "above 1e-9.",
        region=Region(high=WITNESS),
        replicate="an independently drawn network",
        measure=component_margin,
        controls=_SIGMA_CONTROLS,
    ),
    Claim(
        id="P2",
        source="pascanu2013: section 2.1",
        source_status="read",
        kind="theorem",
        statement="Explosion never occurs with σ₁ ≤ 1/γ: the Jacobian product grows at most at the rate log γσ₁ per "
        "link.",
        setting="The same networks as P1; the number is the largest log σ₁ of the product minus T log γσ₁, in nats.",
        region=Region(high=WITNESS),
        replicate="an independently drawn network",
        measure=growth_margin,
        controls=_SIGMA_CONTROLS,
    ),
    Claim(
        id="P3",
        source="pascanu2013: section 2.1 (against the eigenvalue form of pascanu2012)",
        source_status="computed here; the eigenvalue form is second-hand",
        kind="existence",
        statement="A spectral radius below 1/γ is not sufficient for vanishing: there are networks with ρ(W) < 1/γ "
        "whose gradients explode, from typical states and robustly.",
        setting="A typical witness: W = [[A, −A], [A, −A]] with Gaussian A of gain 3 (128 units, W² = 0), the second "
        "half saturated. It counts if it grows by more than 0.05 nats a link over 2,000 links from every one of 100 "
        "random starts, and by the same within 10 % under a 1e-3 relative perturbation of W. The 2 × 2 textbook "
        "example sits on an unstable fixed point (non-generic); it is shown, not counted.",
        region=Region(low=0.05),
        replicate="an independently drawn network",
        measure=witness_growth,
        controls=(
            Control("normal-weights", "W normal, ρ = σ₁ = 0.95: theory excludes a witness", Verdict.INCONCLUSIVE),
            Control("large-radius", "W Gaussian of gain 3: it grows, but ρ > 1/γ", Verdict.INCONCLUSIVE),
        ),
    ),
    Claim(
        id="P4",
        source="pascanu2013: section 2.1 (linear model)",
        source_status="read",
        kind="rate",
        statement="In the linear model long-term components grow at the rate log ρ(W) per link as t grows: they vanish "
        "if ρ < 1 and explode only if ρ > 1.",
        setting="Gaussian W of 50 units rescaled to ρ = 0.8, 0.95, 1.05, 1.25, 2,000 links after 500; the number is "
        "the rate of a random tangent minus log ρ. At ρ = 1 a defective eigenvalue ([[1, 1], [0, 1]]) grows as the "
        "number of links, polynomially: no exponential rate.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate="an independently drawn network",
        measure=linear_rate_error,
        controls=(
            Control("rate-just-inside", "the network runs with 1.005 W", Verdict.SUPPORTED),
            Control("rate-just-outside", "the network runs with 1.02 W", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P5",
        source="pascanu2013: section 4.1 and released code",
        source_status="computed here from the released initialisations",
        kind="comparison",
        statement="At the released tanh initialisations the two conditions disagree (ρ < 1/γ < σ₁); at the sigmoid "
        "initialisation both say that gradients vanish.",
        setting="50 units, as released: basic tanh (standard deviation 0.1), smart tanh (15 non-zeros a unit, ρ = "
        "0.95), sigmoid (0.01). The number is the distance of the nearer condition from 1/γ in nats; at the sigmoid "
        "initialisation that of σ₁. The sparse weights' fan-in is read as 15 a row.",
        region=Region(low=TOLERANCE),
        replicate="an independently drawn weight matrix",
        measure=disagreement,
        controls=(
            Control("disagreement-just-inside", "W built to have ρ = 0.8 and σ₁ = 1.02", Verdict.SUPPORTED),
            Control("no-disagreement", "W built to have ρ = 0.8 and σ₁ = 1", Verdict.REFUTED),
            Control("sigmoid-just-inside", "W rescaled to γσ₁ = 0.98", Verdict.SUPPORTED),
            Control("sigmoid-just-outside", "W rescaled to γσ₁ = 1", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P6",
        source="pascanu2013: section 2.3",
        source_status="read",
        kind="equality",
        statement="In the linear scalar model x_t = x₀ wᵗ the first derivative t wᵗ⁻¹ and the second t(t−1) wᵗ⁻² "
        "explode together, at the same exponential rate.",
        setting="w = 1.05, 1.1, 1.25; derivatives of the recurrence itself at t = 500 and 1,000, not of the closed "
        "form. The number is the rate of the second minus that of the first. Deterministic: the interval is the "
        "rounding error.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate="a weight w (exact)",
        measure=derivative_rate_gap,
        controls=(
            Control("curvature-just-inside", "a second path whose curvature grows 0.005 faster", Verdict.SUPPORTED),
            Control("curvature-just-outside", "a second path whose curvature grows 0.02 faster", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P11",
        source="pascanu2013: Eq. 3-5",
        source_status="computed here; known from the practice of monitoring training",
        kind="existence",
        statement="A healthy-looking gradient of the weights can hide a vanished one: |∂L/∂W_hh| is dominated by short "
        "lags and says nothing of |∂L/∂h_1|.",
        setting="The adding problem, whose loss L is told at the last step. Healthy: |∂L/∂W_hh| between 1e-3 and 10. "
        "Vanished: |∂L/∂s_1| at most 1e-10 of |∂L/∂s_T|, over all test sequences of the network together. RNN, LSTM "
        "and GRUs at their named initialisations, 32 units, 100 links, before and after training. The number is the "
        "decimal logarithm of that ratio.",
        region=Region(high=VANISHED),
        replicate="an independently drawn network",
        measure=hidden_vanishing,
        controls=(
            Control("nothing-vanishes", "a linear network of rate 0: theory excludes a witness", Verdict.INCONCLUSIVE),
        ),
    ),
    Claim(
        id="P12",
        source="pascanu2013: section 3.1",
        source_status="read",
        kind="existence",
        statement="An LSTM does not by itself prevent explosion: there are LSTMs whose Jacobian product grows "
        "exponentially, from several starts and robustly.",
        setting="LSTMs of 32 units with recurrent weights N(0, 144/n), driven by the adding problem. One counts if it "
        "grows by more than 0.01 nats a link over 800 links after 200, from every one of 8 random starts, and by the "
        "same within 10 % under a 1e-3 relative perturbation of its recurrent weights. Such weights are not an "
        "initialisation anybody uses: the claim is that the architecture does not exclude them.",
        region=Region(low=TOLERANCE),
        replicate="an independently drawn network",
        measure=gated_growth,
        controls=(
            Control(
                "no-recurrence",
                "recurrent weights 0: the Jacobian is [[0, ·], [0, f]] with f < 1, so that nothing can grow",
                Verdict.INCONCLUSIVE,
            ),
        ),
    ),
)
