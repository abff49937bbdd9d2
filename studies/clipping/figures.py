"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.claims.intervals import mean_estimate
from gradstudy.claims.neychev2019clipping import WORSE
from gradstudy.claims.neychev2019surface import HIGHER
from gradstudy.claims.pascanu2013clipping import RECOMMENDED
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

ARMS = {"plain": (style.VERMILLION, "o"), "clipped": (style.BLUE, "s")}
CLIPPINGS = {"norm": (style.BLUE, "s"), "element-wise": (style.ORANGE, "^")}
ENDS = {
    "kept": (style.SKY, "low loss"),
    "high": (style.ORANGE, "high, never was low"),
    "ruined": (style.VERMILLION, "ruined: was low, ends high"),
    "not finite": (style.BLACK, "NaN or Inf"),
}
STEPS = {
    "log10_ratio_largest": ("largest\ngradient", style.VERMILLION),
    "log10_ratio_clipped": ("the same,\nclipped", style.BLUE),
    "log10_ratio_ordinary": ("ordinary\n(mean of 8)", style.GREY),
}
CELLS = {"tanh": style.BLUE, "sigmoid": style.VERMILLION, "relu": style.GREEN}


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def _mean(ax, x: float, values: pd.Series, color: str, marker: str, label: str | None = None, shift: float = 1) -> None:
    """Mean with its 95 % interval over seeds."""
    found = mean_estimate(values.tolist(), "")
    ends = [[found.value - found.low], [found.high - found.value]]
    ax.errorbar([x * shift], [found.value], ends, fmt=marker, color=color, capsize=2, markersize=4, label=label)


def ends_by_learning_rate(endings: pd.DataFrame) -> Drawing:
    """How trainings end, by learning rate, without clipping and with it."""
    kept = _of_the_grid(endings)
    networks = list(kept.groupby(["task", "cell"]).groups)
    with style.context():
        figure, axes = style.subplots(
            len(networks),
            2,
            width=style.FULL,
            height=0.7 + 1.35 * len(networks),
            sharex=True,
            sharey=True,
            squeeze=False,
        )
        for row, (task, cell) in zip(axes, networks, strict=True):
            for ax, arm in zip(row, ARMS, strict=True):
                part = kept[(kept["task"] == task) & (kept["cell"] == cell) & (kept["arm"] == arm)]
                shares = part.groupby("learning_rate")["end"].value_counts(normalize=True).unstack(fill_value=0.0)
                below = np.zeros(len(shares))
                for end, (color, label) in ENDS.items():
                    heights = shares[end].to_numpy() if end in shares else np.zeros(len(shares))
                    ax.bar(range(len(shares)), heights, bottom=below, color=color, width=0.85, label=label)
                    below = below + heights
                ax.set_xticks(range(len(shares)), [f"{rate:.3g}" for rate in shares.index], rotation=45)
            row[0].set_ylabel(f"{task}, {cell}\nshare of trainings")
        for ax, arm in zip(axes[0], ("no clipping", "norm clipped at 1"), strict=True):
            ax.set_title(arm)
        for ax in axes[-1]:
            ax.set_xlabel("learning rate")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    n, lost = kept["member"].nunique(), int(((kept["arm"] == "plain") & (kept["end"] == "not finite")).sum())
    return Drawing(
        figure,
        f"Ends of trainings of {int(kept['budget'].max())} updates, n = {n} networks a bar. Low: the loss on fresh "
        "sequences at the end is at most 1.5 times that of a constant answer. Without clipping "
        f"{lost} of {(kept['arm'] == 'plain').sum()} trainings end in NaN or Inf, with it "
        f"{int(((kept['arm'] == 'clipped') & (kept['end'] == 'not finite')).sum())}.",
        "Stacked bars of ends over the learning rate, a row a task and cell, without clipping on the left and with it "
        "on the right.",
    )


def the_largest_step(landings: pd.DataFrame) -> Drawing:
    """What the step of the largest gradient does to the loss."""
    kept = _of_the_grid(landings)
    rates = sorted(kept["rate"].unique())
    with style.context():
        figure, axes = style.subplots(1, len(rates), width=style.FULL, height=2.7, sharey=True, squeeze=False)
        for ax, rate in zip(axes[0], rates, strict=True):
            rows = kept[kept["rate"] == rate]
            for place, (column, (_, color)) in enumerate(STEPS.items()):
                aside = place + np.linspace(-0.22, 0.22, len(rows))
                ax.plot(aside, rows[column], ".", color=color, alpha=0.5, markersize=4)
                _mean(ax, place, rows[column], style.BLACK, "_")
            ax.axhline(0, color=style.GREY, linewidth=0.6)
            ax.axhline(HIGHER, color=style.GREY, linewidth=0.6, linestyle="--")
            ax.set_xticks(range(len(STEPS)), [name for name, _ in STEPS.values()])
            ax.set_title(f"learning rate {rate:g}\nmedian norm {rows['gradient_norm'].median():.3g}")
        axes[0, 0].set_ylabel("log₁₀ loss after / before")
    n = int(kept.groupby("rate").size().min())
    spoilt = kept.assign(spoilt=kept["considered"] < kept["budget"]).groupby("rate")["spoilt"].sum()
    told = ", ".join(f"{count} at a learning rate of {rate:g}" for rate, count in spoilt.items())
    return Drawing(
        figure,
        f"Loss after a step over the loss before it, on the same 500 fresh sequences, of n = {n} trainings without "
        "clipping: a dot a training, black: mean with its 95 % interval. Dashed: twice the loss. The steps of the "
        "largest gradients and the same steps clipped to norm 1 start from the same weights. A tenth higher is "
        f"{WORSE:.3f} on this axis. Steps are those before a training was spoilt (a batch lost more than 1.5 times "
        f"what a constant answer does), which befell {told}.",
        "Three clouds of dots a panel, for steps of the largest gradient, the same clipped, and ordinary ones, with "
        "lines at the same and at twice the loss.",
    )


def time_by_threshold(times: pd.DataFrame) -> Drawing:
    """How the threshold of clipping changes the time to success."""
    kept = _of_the_grid(times)
    finite = kept[np.isfinite(kept["factor"])]
    unclipped = kept[~np.isfinite(kept["factor"])]
    with style.context():
        figure, (upper, lower) = style.subplots(2, 1, height=3.7, sharex=True)
        beyond = 4 * finite["factor"].max()
        for clipping, (color, marker) in CLIPPINGS.items():
            rows = finite[finite["clipping"] == clipping]
            shift = 0.95 if clipping == "norm" else 1.05
            for i, (factor, part) in enumerate(rows.groupby("factor")):
                _mean(upper, factor, part["time"], color, marker, None if i else clipping, shift)
                lower.plot(factor * shift, (part["outcome"] == "solved").mean(), marker, color=color)
        _mean(upper, beyond, unclipped["time"], style.GREY, "o", "no clipping")
        lower.plot(beyond, (unclipped["outcome"] == "solved").mean(), "o", color=style.GREY)
        for ax in (upper, lower):
            ax.axvspan(*RECOMMENDED, color=style.GREY, alpha=0.15, linewidth=0)
            ax.set_ylim(-0.04, 1.04)
            ax.set_xscale("log")
            factors = sorted(finite["factor"].unique())
            ax.set_xticks([*factors, beyond], [*(f"{factor:g}" for factor in factors), "none"])
            ax.minorticks_off()
        upper.set_ylabel("mean time to success\n(of the budget, restricted)")
        lower.set_ylabel("share solved")
        lower.set_xlabel("threshold / average gradient norm")
        figure.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    n, budget = kept["member"].nunique(), int(kept["budget"].max())
    return Drawing(
        figure,
        f"Time to success as a part of the budget of {budget:,} updates, with 95 % intervals over n = {n} networks a "
        "point, and how many succeed within it; those that do not are censored and count as 1. The average norm is "
        f"{kept['average_norm'].iloc[0]:.3g}. For clipping element by element the threshold of an entry is the "
        "multiple of the average norm over the square root of the number of parameters. Grey band: the paper's "
        "recommendation.",
        "Mean time and share of successes over the threshold on a logarithmic axis, by kind of clipping, and without.",
    )


def losses_by_learning_rate(learning_rates: pd.DataFrame) -> Drawing:
    """Loss on a finite training set and on fresh sequences, by learning rate."""
    kept = _of_the_grid(learning_rates)
    kept = kept[~kept["chooses"]]
    epochs = sorted(kept["epoch"].unique())
    with style.context():
        figure, axes = style.subplots(1, len(epochs), width=style.FULL, height=2.7, sharey=True, squeeze=False)
        for ax, epoch in zip(axes[0], epochs, strict=True):
            for arm, (color, marker) in ARMS.items():
                rows = kept[(kept["epoch"] == epoch) & (kept["arm"] == arm)].groupby("learning_rate")
                for fold, line in (("train", "-"), ("test", "--")):
                    mean = rows[f"{fold}_loss"].mean()
                    ax.plot(mean, line, marker=marker, color=color, label=f"{arm}, {fold}", markersize=3)
            ax.axhline(kept["trivial_loss"].iloc[0], color=style.GREY, linewidth=0.6, linestyle=":")
            ax.set_xscale("log")
            ax.set_yscale("log")
            rates = sorted(kept["learning_rate"].unique())
            ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
            ax.minorticks_off()
            ax.set_xlabel("learning rate")
            ax.set_title(f"{20 * int(epoch)} training sequences")
        axes[0, 0].set_ylabel("loss (nats)")
        axes[0, -1].legend(fontsize=6)
    n = int(kept.groupby(["epoch", "arm", "learning_rate"]).size().min())
    return Drawing(
        figure,
        f"Mean loss after {int(kept['budget'].max())} updates over n = {n} networks a point, on their own training set "
        "(solid) and on fresh sequences (dashed). A loss above twice that of the constant answer (dotted: that answer) "
        "counts as twice it. Claims compare each arm at its best rate, which other seeds have chosen.",
        "Curves of loss over learning rate, two lines an arm, with a dotted line for the constant answer.",
    )


def clipping_where_gradients_vanish(vanishing: pd.DataFrame) -> Drawing:
    """What clipping changes of how gradients vanish and of the loss."""
    kept = _of_the_grid(vanishing)
    networks = list(kept.groupby(["cell", "length"]).groups)
    with style.context():
        figure, (left, right) = style.subplots(1, 2, width=style.FULL, height=2.7)
        for place, (cell, length) in enumerate(networks):
            rows = kept[(kept["cell"] == cell) & (kept["length"] == length)]
            for at, marker, aside in zip(
                sorted(rows["clipped_at"].unique()), "os^v", (-0.15, 0.15, 0, 0), strict=False
            ):
                part, color = rows[rows["clipped_at"] == at], CELLS[cell]
                share = f"threshold {at:g}" if not place else None
                _mean(left, place + aside, part["rate_clipped"], color, marker, share)
                _mean(right, place + aside, part["loss_clipped"] - part["loss_plain"], color, marker)
            _mean(left, place, rows["rate_plain"], style.GREY, "x", None if place else "no clipping")
        names = [f"{cell}\nT = {length}" for cell, length in networks]
        for ax in (left, right):
            ax.set_xticks(range(len(names)), names)
            ax.set_xlim(-0.5, len(names) - 0.5)
        left.set_ylabel("decay of the gradient\n(nats per link)")
        left.legend(fontsize=6)
        right.axhline(0, color=style.GREY, linewidth=0.6)
        right.axhspan(-0.01, 0.01, color=style.GREY, alpha=0.15, linewidth=0)
        right.set_ylabel("loss with clipping − without (nats)")
    shares = kept.groupby("clipped_at")["clipped"].mean()
    words = " and ".join(f"{share:.0%} at a threshold of {at:g}" for at, share in shares.items())
    n = int(kept.groupby(["cell", "length", "clipped_at"]).size().min())
    return Drawing(
        figure,
        "Left: rate at which the gradient falls from the last state back to the first after "
        f"{int(kept['budget'].max())} updates. Right: what clipping changes of the loss; grey: no difference by the "
        f"claim's margin. Means of n = {n} networks with 95 % intervals; clipped were {words} of the gradients.",
        "Left: marks of the decay with and without clipping, by network. Right: differences of the loss about a line "
        "at zero.",
    )
