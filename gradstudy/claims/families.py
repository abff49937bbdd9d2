"""What the claims about families of networks that see images share: rates by condition, controls, settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradstudy.claims.claim import Control, Estimate, Tables, Verdict
from gradstudy.claims.conditions import conditions
from gradstudy.claims.intervals import mean_estimate

PER_BLOCK = "nats per block"
PER_LAYER = "nats per layer"
NETWORK = "an independently drawn network"
TRAINED = "an independently drawn network, with an order of the training images of its own"

Measure = Callable[[Tables], tuple[Estimate, ...]]


def means(table: str, column: str, by: Sequence[str], unit: str, *, moment: str | None = None) -> Measure:
    """Measure: mean over networks of a column, one condition for each combination of the columns `by`.

    Args:
        table: its name.
        column: one number a network.
        by: what tells conditions apart.
        unit: of the column.
        moment: if given, of the training; other rows are left out.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        rows = tables[table]
        found = conditions(rows if moment is None else rows[rows["moment"] == moment], by)
        return tuple(
            mean_estimate(part[column].tolist(), unit, condition=name, conditions=len(found)) for name, part in found
        )

    return measure


def planted(inside: str, outside: str, plants: str, values: tuple[str, str]) -> tuple[Control, Control]:
    """The controls of a claim: the same cause planted just inside the region and just outside."""
    return (
        Control(inside, f"{plants} {values[0]}", Verdict.SUPPORTED),
        Control(outside, f"{plants} {values[1]}", Verdict.REFUTED),
    )


ISOMETRY = "the networks are replaced by linear isometries whose blocks change the gradient on its way back by"
