"""Conditions of a claim about recurrent networks: the rows of a table that share design, task and stage."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

TOLERANCE = 0.01
"""Nats per link: rates closer than this are equal; "vanish" and "explode" are rates beyond it."""

DESIGN = ("architecture", "initialisation", "task", "stage")
"""What tells the networks of one run and stage from those of another."""


def conditions(rows: pd.DataFrame, by: Sequence[str] = DESIGN) -> list[tuple[str, pd.DataFrame]]:
    """Rows that agree in some columns, with a name for them; sorted.

    Args:
        rows: of a table.
        by: the columns.

    Returns:
        Pairs such as ("lstm, forget-bias-1, adding, before", its rows), all of the claim's conditions.
    """
    found = rows.groupby(list(by), sort=True, dropna=False)
    return [(", ".join(str(value) for value in key), part) for key, part in found]
