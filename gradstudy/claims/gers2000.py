"""Claims F1 and F2 on the forget gate of Gers, Schmidhuber and Cummins, Learning to forget, 2000."""

from __future__ import annotations

import math

import numpy as np

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import TOLERANCE, conditions
from gradstudy.claims.intervals import mean_estimate

# Rounding of a hundred logarithms of gates, in nats per link.
_ROUNDING = 1e-12
# A prediction may miss by this part of the rate, or by TOLERANCE if that is more.
RELATIVE = 0.05


def pinned_gap(tables: Tables) -> tuple[Estimate, ...]:
    """F1: cell-path rate minus log sigmoid(b) of the network where it differs most, one condition a bias."""
    found = []
    networks = tables["networks"]
    for bias in sorted(networks["gate_bias"].unique()):
        rates = networks.loc[networks["gate_bias"] == bias, "cell_path_rate"].to_numpy()
        gaps = rates + math.log1p(math.exp(-bias))
        gap = float(gaps[np.abs(gaps).argmax()])  # argmax finds a NaN first, so none is passed over
        found.append(Estimate(gap, gap - _ROUNDING, gap + _ROUNDING, len(gaps), "nats per link", f"b = {bias:g}"))
    return tuple(found)


def drawn_gap(tables: Tables) -> tuple[Estimate, ...]:
    """F2: cell-path rate minus the mean over units of log sigmoid(b), in tolerances; untrained networks."""
    rows = tables["networks"]
    found = conditions(rows[rows["stage"] == "before"])
    estimates = []
    for name, part in found:
        predicted = part["log_gate"].to_numpy()
        tolerance = np.maximum(TOLERANCE, RELATIVE * np.abs(predicted))
        gaps = (part["cell_path_rate"].to_numpy() - predicted) / tolerance
        estimates.append(mean_estimate(gaps.tolist(), "tolerances", condition=name, conditions=len(found)))
    return tuple(estimates)


CLAIMS = (
    Claim(
        id="F1",
        source="gers2000: the forget gate; b as torch has it",
        source_status="computed here",
        kind="equality",
        statement="With gate weights 0 the cell path of an LSTM decays exactly as σ(b)ᵀ over T links, where b = b_ih + "
        "b_hh is the bias of the forget gate.",
        setting="b = 0, 1, 2, 5, all other weights as drawn by default, 100 links. The cell path is the product of the "
        "forget gates, the path from c_0 to c_T that passes no other gate. The number is its rate minus log σ(b), of "
        "the network and unit average where it differs most. Deterministic: the interval is the rounding error.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate="an independently drawn network",
        measure=pinned_gap,
        controls=(
            Control("bias-slightly-off", "the gate's bias makes the rate 0.005 less than stated", Verdict.SUPPORTED),
            Control("bias-off", "the gate's bias makes the rate 0.02 less than stated", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="F2",
        source="gers2000: the forget gate; b as torch has it",
        source_status="computed here",
        kind="equality",
        statement="The bias of the forget gate tells how fast the cell path decays: with all weights as drawn it still "
        "decays as σ(b)ᵀ.",
        setting="Untrained LSTMs of 32 units, 100 links, gate weights as drawn by default, with torch's uniform biases "
        "and with b = 1, on both tasks. The number is the cell path's rate minus the mean over units of log σ(b), in "
        f"tolerances: {TOLERANCE:g} nats per link or {RELATIVE:.0%} of the rate, whichever is more.",
        region=Region(-1.0, 1.0),
        replicate="an independently drawn network",
        measure=drawn_gap,
        controls=(
            Control("drawn-bias-slightly-off", "gate weights 0 and a rate 0.01 less than stated", Verdict.SUPPORTED),
            Control("drawn-bias-off", "gate weights 0 and a rate 0.025 less than stated", Verdict.REFUTED),
        ),
    ),
)
