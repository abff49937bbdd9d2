"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def _annealed(logs: pd.Series) -> float:
    """Logarithm of the mean of the exponentials."""
    return float(np.log(np.exp(logs - logs.max()).mean()) + logs.max())


FAMILIES = (
    ("standard initialisation", style.VERMILLION, "s"),
    ("He's initialisation, ReLU", style.BLUE, "o"),
    ("batch normalisation", style.GREEN, "^"),
    ("mean field, tanh", style.PURPLE, "D"),
    ("mean field, ReLU", style.ORANGE, "v"),
)


def _family(row: pd.Series) -> str:
    if row["normalisation"] == "batch":
        return "batch normalisation"
    if row["initialisation"] == "standard":
        return "standard initialisation"
    if row["initialisation"] == "he":
        return "He's initialisation, ReLU"
    return "mean field, tanh" if row["activation"] == "tanh" else "mean field, ReLU"


def rates_against_laws(rates: pd.DataFrame) -> Drawing:
    """Measured rate of the squared gradient norm against the law's, one mark a design."""
    kept = _of_the_grid(rates)
    kept = kept[kept["predicted"].notna()]
    runs = [(part.iloc[0], _annealed(part["log_backward"]) / part["links"].iloc[0]) for _, part in kept.groupby("run")]
    laws = [row["predicted"] for row, _ in runs]
    with style.context():
        figure, axes = style.subplots(2, 1, height=4.4, sharex=True, height_ratios=[2, 1])
        ends = np.array([min(laws) - 0.15, max(laws) + 0.15])
        band = np.maximum(0.01, 0.05 * np.abs(np.linspace(*ends, 400)))
        axes[0].plot(ends, ends, color=style.BLACK, linewidth=0.8)
        axes[1].fill_between(np.linspace(*ends, 400), -band, band, color="#DDDDDD", label="tolerance")
        axes[1].axhline(0, color=style.BLACK, linewidth=0.8)
        for name, color, marker in FAMILIES:
            chosen = [(row["predicted"], rate) for row, rate in runs if _family(row) == name]
            if chosen:
                law, rate = np.array(chosen).T
                axes[0].plot(law, rate, marker, color=color, label=name)
                axes[1].plot(law, rate - law, marker, color=color)
        axes[0].set_ylabel("measured (nats per link)")
        axes[1].set_ylabel("measured − law")
        axes[1].set_xlabel("law (nats per link, squared norm)")
        axes[0].legend()
        axes[1].legend()
    n = kept.groupby("run")["network"].count()
    return Drawing(
        figure,
        f"Rate of the mean squared gradient norm (annealed average) against the law of each of {len(runs)} designs; "
        f"{n.min()} to {n.max()} networks a mark. Below: the difference, with the tolerance of the verdicts. Right of "
        "0 gradients explode with depth, left of it they vanish.",
        "Scatter plot: all marks on the diagonal, from strongly vanishing on the left to exploding on the right.",
    )
