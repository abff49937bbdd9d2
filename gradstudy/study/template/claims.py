"""Claims: fixed before the runs that decide them, each with controls that must come out as planted."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import conditions
from gradstudy.claims.intervals import mean_estimate


def _rates(tables: Tables) -> tuple[Estimate, ...]:
    found = conditions(tables["rates"], ["forget_bias"])  # with two columns a name is "1.0, lower"
    return tuple(
        mean_estimate(rows["rate"].tolist(), "nats per step", condition=f"forget bias {name}", conditions=len(found))
        for name, rows in found
    )


CLAIMS = (
    Claim(
        id="my-study-1",
        source="mine2026: section 1",
        source_status="computed here",
        kind="rate",
        statement="The gradient of this network vanishes exponentially on its way back, at every forget bias.",
        setting="Untrained networks with random inputs; the rate is taken over the middle half of the sequence.",
        region=Region(high=-0.01),
        replicate="network",
        measure=_rates,
        controls=(
            Control("vanishes", "a linear network that loses 0.015 nats a step", Verdict.SUPPORTED),
            Control("hardly-vanishes", "a linear network that loses 0.005 nats a step", Verdict.REFUTED),
        ),
    ),
)
