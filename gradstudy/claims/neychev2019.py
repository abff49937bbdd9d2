"""Statements L1, L2, L7 and L8 of Neychev's lecture, CNN and vanishing gradient, 2019, in our own words."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import DESIGN, TOLERANCE, conditions
from gradstudy.claims.intervals import mean_estimate

# Share of the weight gradient that the far half of the lags may have; a chain that keeps everything gives a half.
FAR_SHARE = 0.05
_RATE = "nats per link"


def _means(tables: Tables, column: str, unit: str) -> tuple[Estimate, ...]:
    found = conditions(tables["networks"])
    return tuple(
        mean_estimate(rows[column].tolist(), unit, condition=name, conditions=len(found)) for name, rows in found
    )


def contracting_rate(tables: Tables) -> tuple[Estimate, ...]:
    """L1: rate of networks all of whose one-step Jacobians have sigma_1 < 1; NaN if one has not."""
    rows = tables["networks"]
    eligible = rows["largest_sigma_1"] < 1
    return _means({"networks": rows.assign(rate=rows["rate"].where(eligible))}, "rate", _RATE)


def rate(tables: Tables) -> tuple[Estimate, ...]:
    """L2a: rate of every network."""
    return _means(tables, "rate", _RATE)


def far_share(tables: Tables) -> tuple[Estimate, ...]:
    """L2b: share of the far half of the lags in the weight gradient, each lag by its norm."""
    return _means(tables, "far_share", "of the sum of norms")


def _lead(tables: Tables) -> tuple[Estimate, ...]:
    """Rate of a network minus that of the vanilla RNN beside it, paired by the draw."""
    found = conditions(tables["pairs"], [*DESIGN, "reference"])
    return tuple(
        mean_estimate(
            (rows["rate"] - rows["reference_rate"]).tolist(),
            _RATE,
            condition=f"{name} RNN",
            conditions=len(found),
        )
        for name, rows in found
    )


def retention(tables: Tables) -> tuple[Estimate, ...]:
    """L8: rate of networks whose update gate is pinned at the value that retains."""
    return _means(tables, "rate", _RATE)


def _rate_controls(plural: str) -> tuple[Control, Control]:
    linear = "the network is replaced by a linear one with an orthogonal matrix times e^rate:"
    return (
        Control(f"{plural}-shrinks", f"{linear} −0.015 nats per link", Verdict.SUPPORTED),
        Control(f"{plural}-hardly-shrinks", f"{linear} −0.005 nats per link", Verdict.REFUTED),
    )


def _lead_controls(name: str) -> tuple[Control, Control]:
    linear = "the network is replaced by a linear one whose rate is the reference's plus"
    return (
        Control(f"{name}-longer", f"{linear} 0.015 nats per link", Verdict.SUPPORTED),
        Control(f"{name}-hardly-longer", f"{linear} 0.005 nats per link", Verdict.REFUTED),
    )


_ONE_ERROR = (
    "One error at a time: E_T is the task's loss at the last step alone. The rate of a network is the mean over its "
    "test sequences of log |dE_T/ds_0| − log |dE_T/ds_T|, divided by the number of links, s being the full state "
    "((h, c) of an LSTM)."
)
_SCALE = (
    "32 units, 100 links, 8 networks a condition, tanh RNN, LSTM, torch's GRU and the textbook GRU, at their named "
    "initialisations, before and after a short training (120 updates), on the adding problem and on Nottingham."
)
_REPLICATE = "an independently drawn network, with its own training sequences"

CLAIMS = (
    Claim(
        id="L1",
        source="neychev2019: vanishing gradient in recurrent networks",
        source_status="read",
        kind="rate",
        statement="When the derivatives are small, the gradient signal shrinks as it is propagated further back.",
        setting=f"{_ONE_ERROR} Small means: the largest singular value of every one-step Jacobian, over links and test "
        "sequences, is below 1, which is recorded; a network that does not qualify decides nothing. Default draws with "
        "the recurrent weights halved, four architectures, untrained, inputs of the adding problem. That it shrinks "
        "at all is then a theorem (P1); asked is whether it vanishes, by more than 0.01 nats per link.",
        region=Region(high=-TOLERANCE),
        replicate="an independently drawn network",
        measure=contracting_rate,
        controls=_rate_controls("small"),
    ),
    Claim(
        id="L2a",
        source="neychev2019: vanishing gradient in recurrent networks",
        source_status="read",
        kind="rate",
        statement="The gradient signal from far away is lost because it is much smaller than the signal from close by.",
        setting=f"{_ONE_ERROR} {_SCALE} The claim names no condition on the network, so it is asked of every one.",
        region=Region(high=-TOLERANCE),
        replicate=_REPLICATE,
        measure=rate,
        controls=_rate_controls("far"),
    ),
    Claim(
        id="L2b",
        source="neychev2019: vanishing gradient in recurrent networks; pascanu2013: Eq. 3-5",
        source_status="read",
        kind="comparison",
        statement="Weight updates follow short-term effects only: the far half of the lags has hardly a share in the "
        "gradient of the recurrent weights.",
        setting="G_l is the part of dL/dW_hh that has come back over l links, L being the task's own training loss; "
        f"the number is the sum of |G_l| over l ≥ T/2, divided by the sum over all l. Hardly: below {FAR_SHARE:g}; a "
        f"chain that keeps everything gives 0.5. {_SCALE}",
        region=Region(high=FAR_SHARE),
        replicate=_REPLICATE,
        measure=far_share,
        controls=(
            Control("far-share-small", "a linear network whose far half has a share near 0.035", Verdict.SUPPORTED),
            Control("far-share-large", "a linear network whose far half has a share near 0.07", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="L7a",
        source="neychev2019: LSTM",
        source_status="read",
        kind="comparison",
        statement="The cell state makes an LSTM keep the gradient signal longer than a vanilla RNN, whatever their "
        "initialisations.",
        setting=f"{_ONE_ERROR} The number is the LSTM's rate minus that of a tanh RNN of as many units, drawn, trained "
        f"and measured beside it on the same sequences; one condition a pair of initialisations. {_SCALE} One pair "
        "that lies wholly below refutes it.",
        region=Region(low=TOLERANCE),
        replicate="a pair of independently drawn networks",
        measure=_lead,
        controls=_lead_controls("lstm"),
    ),
    Claim(
        id="L7b",
        source="neychev2019: GRU",
        source_status="read",
        kind="comparison",
        statement="The gates make a GRU keep the gradient signal longer than a vanilla RNN, whatever their "
        "initialisations.",
        setting="As L7a, for torch's GRU and the textbook GRU.",
        region=Region(low=TOLERANCE),
        replicate="a pair of independently drawn networks",
        measure=_lead,
        controls=_lead_controls("gru"),
    ),
    Claim(
        id="L8",
        source="neychev2019: GRU",
        source_status="read",
        kind="rate",
        statement="An update gate at 0 retains the state: the gradient neither vanishes nor explodes.",
        setting=f"{_ONE_ERROR} The lecture's u is the textbook GRU's, and torch's 1 − z. The gate's weights are 0 and "
        "its bias is −40 (torch's z: +40), all other weights as drawn by default; untrained, inputs of the adding "
        "problem.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate="an independently drawn network",
        measure=retention,
        controls=(
            Control("gate-nearly-closed", "the gate retains e^-0.005 = 0.995 of the state a step", Verdict.SUPPORTED),
            Control("gate-ajar", "the gate retains e^-0.03 = 0.970 of the state a step", Verdict.REFUTED),
        ),
    ),
)
