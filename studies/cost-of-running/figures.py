"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

# Name, limit, and whether more is better. The reports are counted in `n`, the others' runs are a parameter.
LIMITS = {
    "two-at-a-time": ("two runs at a time", 1.8, True),
    "planning": ("planning runs that are there", 5.0, False),
    "scheduling": ("scheduling a run", 50.0, False),
    "reports": ("making all reports again", 60.0, False),
}


def costs_beside_limits(costs: pd.DataFrame) -> Drawing:
    """What running costs, beside its limits."""
    rows = costs.reset_index(drop=True)
    limits = [LIMITS[name] for name in rows["quantity"]]
    shares = [
        np.sort(limit / values if more else values / limit)
        for values, (_, limit, more) in zip(rows[["low", "value", "high"]].to_numpy(), limits, strict=True)
    ]
    place = np.arange(len(rows))[::-1]
    with style.context():
        figure, ax = style.subplots(width=style.FULL, height=0.9 + 0.4 * len(rows))
        ax.axvline(1, color=style.VERMILLION, linewidth=1)
        low, middle, high = np.array(shares).T
        ax.errorbar(middle, place, xerr=[middle - low, high - middle], fmt="o", color=style.BLUE)
        ax.set_yticks(place, [_name(row, *limit) for row, limit in zip(rows.itertuples(), limits, strict=True)])
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xlim(min(0.0, *low), max(1.1, *high * 1.05))
        ax.set_xlabel("part of the limit (1: just met; beyond: missed)")
    missed = [limit[0] for share, limit in zip(middle, limits, strict=True) if share > 1]
    told = f"Missed: {', '.join(missed)}." if missed else "All are met."
    return Drawing(
        figure,
        "Time beside the limit that was set for it, median and quartiles; in brackets how many runs, or reports and "
        "the page over them. "
        f"{told}",
        "One dot a quantity, beside a vertical line at its limit.",
    )


def _name(row, name: str, limit: float, more: bool) -> str:
    count = row.n if row.quantity == "reports" else row.runs
    return f"{name} ({count})\n{row.value:.3g} of {'at least' if more else 'at most'} {limit:g} {row.unit}"
