"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.claims.intervals import mean_estimate
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

ARMS = {
    "SGD": (style.GREY, "-"),
    "SGD-C": (style.BLUE, "-"),
    "SGD-R": (style.ORANGE, "--"),
    "SGD-CR": (style.VERMILLION, "-"),
    "SGD-L2": (style.GREEN, ":"),
}
PAPER = 5_000_000  # updates
CELLS = {"tanh": "tanh", "sigmoid": "sigmoid", "lstm": "LSTM", "gru": "GRU"}


def _grid(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that no control planted."""
    return table[table["control"].isna() | (table["control"] == "")]


def _one_length(table: pd.DataFrame, examined: bool = True) -> pd.DataFrame:
    """Runs that trained on one length, until they succeeded or, not examined, to the end."""
    kept = _grid(table)
    return kept[kept["longest"].isna() & (kept["examined"] == examined)]


def _vanilla(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["cell"].isin(["tanh", "sigmoid"])]


def _present(table: pd.DataFrame, column: str, order) -> list:
    return [value for value in order if (table[column] == value).any()]


def _survival(ax, rows: pd.DataFrame) -> None:
    """Share of an arm's runs that have succeeded, over updates; the paper's budget is far beyond the right edge."""
    budget = rows["budget"].iloc[0]
    for arm in _present(rows, "arm", ARMS):
        part = rows[rows["arm"] == arm]
        times = np.sort(part.loc[part["outcome"] == "solved", "updates"])
        share = np.arange(1, len(times) + 1) / len(part)
        color, line = ARMS[arm]
        ends = ([0, *times, budget], [0, *share, share[-1] if len(share) else 0])
        ax.step(*ends, line, where="post", color=color, label=arm)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlim(0, budget)


def success_over_updates(outcomes: pd.DataFrame) -> Drawing:
    """Which arm learns how long a memory, and how soon."""
    kept = _vanilla(_one_length(outcomes))
    starts, lengths = list(kept["start"].unique()), sorted(kept["length"].unique())
    with style.context():
        figure, axes = style.subplots(
            len(starts), len(lengths), width=style.FULL, height=0.6 + 1.35 * len(starts), sharey=True, squeeze=False
        )
        for row, start in zip(axes, starts, strict=True):
            for ax, length in zip(row, lengths, strict=True):
                part = kept[(kept["start"] == start) & (kept["length"] == length)]
                if len(part):
                    _survival(ax, part)
                    ax.set_xticks([0, part["budget"].iloc[0]])
                else:
                    ax.set_axis_off()
            row[0].set_ylabel(f"{start}\nshare solved")
        for ax, length in zip(axes[0], lengths, strict=True):
            ax.set_title(f"T = {length}")
        for ax in axes[-1]:
            ax.set_xlabel("updates")
        for arm in _present(kept, "arm", ARMS):
            axes[0, 0].plot([], [], ARMS[arm][1], color=ARMS[arm][0], label=arm)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=5)
    n = int(kept.groupby(["start", "length", "arm"]).size().min())
    counts = kept["outcome"].value_counts()
    return Drawing(
        figure,
        f"Share of n = {n} networks a curve that have solved temporal order, over updates of training, by "
        f"initialisation (rows) and length (columns). Of {len(kept)} runs {counts.get('solved', 0)} succeeded, "
        f"{counts.get('censored', 0)} were censored at the end of the budget and {counts.get('diverged', 0)} diverged. "
        f"The paper's budget is {PAPER / kept['budget'].max():,.0f} times as long.",
        "Panels of rising staircases, a line an arm; they rise later, or not at all, as T grows.",
    )


def time_by_length(outcomes: pd.DataFrame) -> Drawing:
    """How the time to success grows with the length."""
    kept = _one_length(outcomes)
    vanilla, gated = _vanilla(kept), kept[kept["cell"].isin(["lstm", "gru"])]
    panels = [(start, vanilla[vanilla["start"] == start]) for start in vanilla["start"].unique()]
    with style.context():
        figure, axes = style.subplots(
            1, len(panels) + (len(gated) > 0), width=style.FULL, height=2.6, sharey=True, squeeze=False
        )
        for ax, (name, rows) in zip(axes[0], panels, strict=False):
            for arm in _present(rows, "arm", ARMS):
                _restricted(ax, rows[rows["arm"] == arm], arm, *ARMS[arm])
            ax.set_title(name)
        if len(gated):
            ax = axes[0, -1]
            for (cell, optimiser), rows in gated.groupby(["cell", "optimiser"]):
                color = style.PURPLE if cell == "lstm" else style.SKY
                name = f"{CELLS[cell]}, {'Adam' if optimiser == 'adam' else 'SGD-C'}"
                _restricted(ax, rows, name, color, "--" if optimiser == "adam" else "-")
            ax.set_title("gated")
        for ax in axes[0]:
            ax.set_xlabel("length T (steps)")
            ax.set_ylim(0, 1.05)
        known: dict[str, object] = {}
        for ax in axes[0]:
            known |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
        figure.legend(known.values(), known.keys(), loc="outside upper center", ncols=5, fontsize=7)
        axes[0, 0].set_ylabel("mean time to success\n(of the budget, restricted)")
    n = int(kept.groupby(["cell", "start", "length", "arm", "optimiser"]).size().min())
    budgets = f"{int(vanilla['budget'].max()):,} updates"
    if len(gated):
        budgets += f" (gated networks: {int(gated['budget'].max()):,})"
    return Drawing(
        figure,
        f"Mean over n = {n} networks of the updates to success as a part of the budget of {budgets}, with 95 % "
        "intervals; a run that does not succeed counts as 1, so that a point at 1 says only that the budget was too "
        "small.",
        "Curves of time over length, one an arm.",
    )


def _restricted(ax, rows: pd.DataFrame, label: str, color: str, line: str) -> None:
    _means(ax, rows.groupby("length")["time"], label, color, line)


def _means(ax, values, label: str, color: str, line: str) -> None:
    """Means over independent networks, by length, with their 95 % intervals."""
    found = {length: mean_estimate(part.tolist(), "") for length, part in values}
    means = [estimate.value for estimate in found.values()]
    halves = [estimate.high - estimate.value for estimate in found.values()]
    ax.errorbar(list(found), means, yerr=halves, fmt="o" + line, color=color, label=label, markersize=3, capsize=2)


def radius_in_training(courses: pd.DataFrame) -> Drawing:
    """What training does to the spectral radius, and when the gradient is largest."""
    kept = _vanilla(_one_length(courses))
    kept = kept[(kept["length"] == kept["length"].max()) & (kept["start"] == kept["start"].iloc[0])]
    with style.context():
        figure, (upper, lower) = style.subplots(2, 1, height=3.6, sharex=True)
        lower.margins(x=0.02)
        for arm in _present(kept, "arm", ARMS):
            color, line = ARMS[arm]
            for i, (_, rows) in enumerate(kept[kept["arm"] == arm].groupby("member")):
                upper.plot(rows["update"], rows["spectral_radius"], line, color=color, label=None if i else arm)
                lower.plot(rows["update"], rows["log10_gradient_norm"], line, color=color, linewidth=0.7)
        upper.axhline(1, color=style.BLACK, linewidth=0.5)
        upper.set_ylabel("ρ(W)")
        lower.set_ylabel("log₁₀ largest |∂L/∂θ|")
        lower.set_xlabel("updates")
        upper.legend(fontsize=6, ncols=2)
    start, length = kept["start"].iloc[0], int(kept["length"].iloc[0])
    return Drawing(
        figure,
        f"Spectral radius of the recurrent matrix, and the largest gradient norm before clipping within every "
        f"100 updates, of {kept['member'].nunique()} networks an arm ({start}, T = {length}). A line ends where its "
        "network has succeeded.",
        "Two panels of noisy lines over updates; the radius leaves its first value, and gradient norms jump by "
        "orders of magnitude.",
    )


def radius_by_length(outcomes: pd.DataFrame) -> Drawing:
    """Whether longer sequences make for a larger spectral radius."""
    kept = _vanilla(_one_length(outcomes, examined=not (~outcomes["examined"]).any()))
    kept = kept[kept["arm"].isin(["SGD", "SGD-C"])]
    # The two runs of a network, from the same weights on the same sequences, are no two replicates.
    networks = kept.groupby(["start", "length", "member"])["radius"].mean().reset_index()
    starts = list(kept["start"].unique())
    with style.context():
        figure, ax = style.subplots()
        for start, color in zip(starts, style.PALETTE, strict=False):
            _means(ax, networks[networks["start"] == start].groupby("length")["radius"], start, color, "-")
        ax.set_xlabel("length T (steps)")
        ax.set_ylabel("spectral radius ρ(W)")
        ax.legend()
    after = int(kept["compared_after"].iloc[0])
    early = int((kept["updates"] < kept["compared_after"]).sum())
    return Drawing(
        figure,
        f"Spectral radius after {after:,} updates (of {len(kept)} runs {early} had left before and are shown as they "
        f"were then); mean of SGD and SGD-C, with 95 % intervals over n = "
        f"{int(networks.groupby(['start', 'length']).size().min())} networks a point.",
        f"{len(starts)} curves of the spectral radius over the length.",
    )


def other_lengths(lengths: pd.DataFrame) -> Drawing:
    """Whether a network that has learnt short sequences knows long ones."""
    kept = _grid(lengths)
    if kept.empty:
        raise ValueError("no network has solved the task, so none can be tested on other lengths")
    with style.context():
        figure, ax = style.subplots()
        for _, rows in kept.groupby("member"):
            ax.plot(
                rows["test_length"],
                100 * rows["error"],
                "o-",
                color=style.BLUE,
                alpha=0.5,
                markersize=2.5,
                linewidth=0.8,
            )
        mean = kept.groupby("test_length")["error"].mean()
        ax.plot(mean.index, 100 * mean, "k_", markersize=12)
        ax.axhline(1, color=style.GREY, linewidth=0.6, linestyle="--")
        ax.axhline(75, color=style.GREY, linewidth=0.6, linestyle=":")
        ax.set_yscale("symlog", linthresh=0.1)
        ax.set_yticks([0, 0.1, 1, 10, 75], ["0", "0.1", "1", "10", "75"])
        ax.set_xscale("log")
        ax.set_xlabel("length of the test sequences (steps)")
        ax.set_ylabel("wrong sequences (%)")
        ax.axvspan(kept["length"].iloc[0], kept["longest"].iloc[0], color=style.GREY, alpha=0.15, linewidth=0)
    n = kept["member"].nunique()
    return Drawing(
        figure,
        f"Errors on sequences of other lengths of the n = {n} networks that succeeded, trained on lengths in the "
        f"grey band; {int(kept['sequences'].iloc[0]):,} sequences a point, "
        "black: mean. Below the dashed line a network counts as "
        "having solved the task, the dotted line is the constant answer. The axis is linear below 0.1.",
        "Lines of error over test length on logarithmic axes.",
    )
