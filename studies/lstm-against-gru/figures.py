"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.claims.intervals import mean_estimate
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

CELLS = {"lstm": ("LSTM", style.BLUE, "o"), "gru": ("GRU", style.VERMILLION, "s")}
STARTS = {"default": ("as torch draws it", "-"), "retaining": ("bias 1 in the keeping gate", "--")}
TASKS = {
    "adding": "adding",
    "temporal-order": "temporal order",
    "memorisation-5-bits": "memorisation",
    "counting-2": "aⁿbⁿ",
    "counting-3": "aⁿbⁿcⁿ",
    "generated": "made-up music",
    "nottingham": "Nottingham",
    "jsb": "JSB chorales",
}
IMPLEMENTATIONS = {"population": "populations", "cells": "torch's cells", "fused": "torch, fused"}
MATCHES = {"units": "equal units", "parameters": "equal parameters", "time": "about equal time"}


def _grid(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that no control planted."""
    return table[table["control"].isna() | (table["control"] == "")]


def _present(table: pd.DataFrame, column: str, names: dict) -> list:
    return [value for value in names if (table[column] == value).any()]


def _kinds(table: pd.DataFrame) -> list:
    return [(cell, start) for cell in CELLS for start in _present(table[table["cell"] == cell], "start", STARTS)]


def _beside(count: int, width: float = 0.16) -> np.ndarray:
    """Places of so many side by side, about 0."""
    return width * (np.arange(count) - (count - 1) / 2)


def _names_of_kinds(figure, kinds: list, ax) -> None:
    handles = [
        ax.plot([], [], CELLS[cell][2] + STARTS[start][1], color=CELLS[cell][1], markersize=3)[0]
        for cell, start in kinds
    ]
    names = [f"{CELLS[cell][0]}, {STARTS[start][0]}" for cell, start in kinds]
    figure.legend(handles, names, loc="outside upper center", ncols=2)


def operations(flops: pd.DataFrame) -> Drawing:
    """How much a GRU has to compute, as a part of what an LSTM has to."""
    kept = _grid(flops)
    with style.context():
        figure, ax = style.subplots(height=2.2)
        for match, color in zip(_present(kept, "match", MATCHES), style.PALETTE, strict=False):
            rows = kept[kept["match"] == match].sort_values("units")
            ax.plot(rows["units"], rows["ratio"], "o-", color=color, label=f"{MATCHES[match]}, all operations")
            ax.plot(rows["units"], rows["counted_ratio"], "x", color=color, label="matrix products, counted by torch")
        ax.axhline(0.75, color=style.GREY, linewidth=0.6, linestyle=":")
        ax.axhline(1, color=style.BLACK, linewidth=0.6)
        ax.set_xscale("log", base=2)
        ax.set_xticks(sorted(kept["units"].unique()), [str(n) for n in sorted(kept["units"].unique())])
        ax.minorticks_off()
        ax.set_ylim(0.6, 1.3)
        ax.set_xlabel("units of the LSTM")
        ax.set_ylabel("operations, GRU / LSTM")
        ax.legend(ncols=1, fontsize=6)
    return Drawing(
        figure,
        "Floating-point operations of a GRU's step over those of an LSTM's. Circles: forward, a function counted as "
        "one operation; crosses: matrix products alone, there and back, as torch counts them. With equal units the "
        "ratio of the products is that of the numbers of blocks, 3/4 (dotted).",
        "Ratios of operations over the units of the LSTM, a line for equal units and one for equal parameters.",
    )


def running_times(times: pd.DataFrame) -> Drawing:
    """Whether the GRU is quicker, by implementation."""
    kept = _grid(times)
    matches, names = _present(kept, "match", MATCHES), _present(kept, "implementation", IMPLEMENTATIONS)
    sizes = sorted(kept["units"].unique())
    with style.context():
        figure, axes = style.subplots(1, len(matches), width=style.FULL, height=2.4, sharey=True, squeeze=False)
        for ax, match in zip(axes[0], matches, strict=True):
            for name, shift, color in zip(names, _beside(len(names)), style.PALETTE, strict=False):
                rows = kept[(kept["match"] == match) & (kept["implementation"] == name)]
                places = np.array([sizes.index(units) for units in rows["units"]]) + shift
                ax.plot(places, rows["ratio"], "o", color=color, markersize=3, alpha=0.7, label=IMPLEMENTATIONS[name])
            ax.axhline(1, color=style.BLACK, linewidth=0.6)
            ax.axhline(0.95, color=style.GREY, linewidth=0.6, linestyle="--")
            ax.set_yscale("log", base=2)
            ax.set_yticks([0.5, 0.75, 1, 1.5, 2, 3], ["0.5", "0.75", "1", "1.5", "2", "3"])
            ax.minorticks_off()
            ax.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            ax.set_xlabel("units of the LSTM")
            ax.set_title(MATCHES[match])
        axes[0, 0].set_ylabel("running time, GRU / LSTM")
        axes[0, -1].legend()
    n = int(kept.groupby(["match", "implementation", "units"]).size().min())
    return Drawing(
        figure,
        f"Time of a GRU's pass there and back over an LSTM's, n = {n} processes a column (a point each, the geometric "
        f"mean of two medians of {int(kept['n'].iloc[0]) // 2} rounds), on one thread of a CPU. Below the dashed line "
        "a GRU counts as quicker. In populations and in the loop of torch's cells both networks are written alike; "
        "torch's fused modules are not.",
        "Points of three implementations over the units of the LSTM, in one panel for what is held equal each.",
    )


def _over(kept: pd.DataFrame, column: str, value: str, label: str, *, apart: float, errors: bool):
    """A panel a task, a line a kind of network: means of a value over a column; figure and axes."""
    tasks, kinds = _present(kept, "task", TASKS), _kinds(kept)
    figure, axes = style.subplots(1, len(tasks), width=style.FULL, height=2.6, sharey=True, squeeze=False)
    for ax, task in zip(axes[0], tasks, strict=True):
        part = kept[kept["task"] == task]
        for (cell, start), side in zip(kinds, _beside(len(kinds), apart), strict=True):
            rows = part[(part["cell"] == cell) & (part["start"] == start)]
            points = {x: mean_estimate(of.tolist(), "") for x, of in rows.groupby(column)[value]}
            means = [point.value for point in points.values()]
            half = [point.high - point.value for point in points.values()] if errors else None
            _, color, mark = CELLS[cell]
            ax.errorbar(
                np.array(list(points)) * (1 + side), means, yerr=half, fmt=mark + STARTS[start][1], color=color,
                markersize=3, capsize=1.5, linewidth=1,
            )  # fmt: skip
        places = sorted(part[column].unique())
        ax.set_xscale("log")
        ax.set_xticks(places, [f"{place:g}" for place in places])
        ax.minorticks_off()
        ax.set_ylim(-0.04, 1.06)
        ax.set_xlabel(label)
        ax.set_title(TASKS[task])
    _names_of_kinds(figure, kinds, axes[0, 0])
    return figure, axes[0]


def _fewest(kept: pd.DataFrame, column: str) -> int:
    return int(kept.groupby(["task", "cell", "start", column]).size().min())


def success_by_length(outcomes: pd.DataFrame) -> Drawing:
    """Which of the two learns the longer memory."""
    kept = _grid(outcomes)
    with style.context():
        figure, axes = _over(kept, "steps", "solved", "length (steps)", apart=0.015, errors=False)
        for ax in axes:
            ax.axhline(0.5, color=style.GREY, linewidth=0.6, linestyle=":")
        axes[0].set_ylabel("share of networks that succeed")
    return Drawing(
        figure,
        f"Share of n = {_fewest(kept, 'steps')} networks a point that have learnt a task within the budget, over the "
        "length of its sequences (points of one length drawn side by side). The length at which a line falls through "
        "one half (dotted) is what the claims on longer dependencies compare.",
        "Curves of success over length, one panel a task.",
    )


def time_by_length(outcomes: pd.DataFrame) -> Drawing:
    """Which of the two learns sooner."""
    kept = _grid(outcomes)
    budgets = kept.groupby("task")["budget"].first()
    with style.context():
        figure, axes = _over(kept, "steps", "time", "length (steps)", apart=0.015, errors=True)
        axes[0].set_ylabel("mean time to success\n(of the budget, restricted)")
    named = ", ".join(f"{TASKS[task]} {budgets[task]:,}" for task in _present(kept, "task", TASKS))
    return Drawing(
        figure,
        f"Mean over n = {_fewest(kept, 'steps')} networks of the updates to success, as a part of the budget ({named} "
        "updates), with 95 % intervals; a network that does not succeed counts as 1.",
        "Curves of time over length, one panel a task.",
    )


def counting(reaches: pd.DataFrame) -> Drawing:
    """How far beyond its training a network counts."""
    kept = _grid(reaches)
    tasks, kinds = _present(kept, "task", TASKS), _kinds(kept)
    with style.context():
        figure, axes = style.subplots(1, len(tasks), width=style.FULL, height=2.6, sharey=True, squeeze=False)
        for ax, task in zip(axes[0], tasks, strict=True):
            part = kept[kept["task"] == task]
            for place, (cell, start) in enumerate(kinds):
                reach = np.sort(part.loc[(part["cell"] == cell) & (part["start"] == start), "reach"])
                _, color, mark = CELLS[cell]
                face = color if start == "default" else "none"
                shift = np.linspace(-0.28, 0.28, len(reach))
                ax.plot(place + shift, 1 + reach, mark, color=color, markerfacecolor=face, markersize=3)
                ax.plot([place - 0.35, place + 0.35], [1 + np.median(reach)] * 2, color=style.BLACK, linewidth=1)
            ax.axhline(1 + part["trained_to"].iloc[0], color=style.GREY, linewidth=0.6, linestyle="--")
            ax.set_yscale("log")
            ticks = [n for n in (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if n <= 1.2 * max(part["reach"].max(), 20)]
            ax.set_yticks([1 + n for n in ticks], [str(n) for n in ticks])
            ax.minorticks_off()
            ax.set_xticks(range(len(kinds)), [f"{CELLS[cell][0]}\n{start}" for cell, start in kinds], fontsize=6)
            ax.set_title(TASKS[task])
        axes[0, 0].set_ylabel("counts to n =")
    n = int(kept.groupby(["task", "cell", "start"]).size().min())
    return Drawing(
        figure,
        f"The greatest N up to which all strings n = 1, …, N are right, of n = {n} networks a column, in order; "
        f"black: median, dashed: the greatest n of the training. Looked at up to {int(kept['looked_to'].max())}. The "
        "axis shows 1 + N on a logarithmic scale; the claims compare it, and put on the dashed line all below it.",
        "Columns of points, one a kind of network, beside the dashed line of training; one panel a language.",
    )


def chords(scores: pd.DataFrame) -> Drawing:
    """Which of the two predicts music better."""
    kept = _grid(scores)
    kept = kept[kept["split"] == "test"]
    sets, matches = _present(kept, "music", TASKS), _present(kept, "match", MATCHES)
    with style.context():
        figure, axes = style.subplots(1, len(sets), width=style.FULL, height=2.4, squeeze=False)
        for ax, name in zip(axes[0], sets, strict=True):
            part = kept[kept["music"] == name]
            for place, match in enumerate(matches):
                pairs = part[part["match"] == match].pivot(index="member", columns="cell", values="nats")
                for _, pair in pairs.iterrows():
                    ax.plot([place - 0.2, place + 0.2], [pair["lstm"], pair["gru"]], color=style.GREY, linewidth=0.6)
                for cell, side in (("lstm", -0.2), ("gru", 0.2)):
                    label, color, mark = CELLS[cell]
                    ax.plot([place + side] * len(pairs), pairs[cell], mark, color=color, markersize=4)
                    ax.plot([], [], mark, color=color, label=None if place else label)
            ax.set_xticks(range(len(matches)), [MATCHES[match] for match in matches])
            ax.set_xlim(-0.6, len(matches) - 0.4)
            ax.set_title(TASKS[name])
            ax.set_ylabel("test songs (nats a chord)")
            ax.legend()
    n = int(kept.groupby(["music", "match", "cell"]).size().min())
    return Drawing(
        figure,
        f"Negative log-likelihood of a chord of the test songs (less is better), n = {n} networks a column; a line "
        "joins the two of one seed. The LSTM is the same in both comparisons. The axes do not begin at 0.",
        "Pairs of points joined by lines, one panel a data set.",
    )


def _at_the_edge(pilots: pd.DataFrame) -> str:
    """How many chosen rates have no other beyond them that was tried."""
    kinds = [name for name in ("run", "cell", "start", "match") if name in pilots]
    means = pilots.groupby([*kinds, "rate"], dropna=False)["score"].mean().reset_index()
    chosen = means.loc[means.groupby(kinds, dropna=False)["score"].idxmin(), "rate"]
    least, greatest = (int((chosen == edge).sum()) for edge in (pilots["rate"].min(), pilots["rate"].max()))
    return (
        f"Of {len(chosen)} choices, counting and music among them, {greatest} are the greatest rate tried and {least} "
        "the least."
    )


def learning_rates(pilots: pd.DataFrame) -> Drawing:
    """Which learning rate suits which network."""
    every = _grid(pilots)
    kept = every[every["experiment"] == "lag"]
    if kept.empty:
        raise ValueError("no learning rate was chosen among several")
    with style.context():
        figure, axes = _over(kept, "rate", "score", "learning rate", apart=0.03, errors=False)
        axes[0].set_ylabel("mean time to success\n(of the budget, restricted)")
    return Drawing(
        figure,
        f"Mean time to success of n = {_fewest(kept, 'rate')} pilots a point, networks of other seeds than those "
        "compared, at the shortest length of each task. Each kind of network is trained at the rate with the least. "
        f"{_at_the_edge(every)}",
        "Curves of time over learning rate, one panel a task.",
    )
