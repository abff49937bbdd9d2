"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

DECADE = np.log(10)
TASKS = {"latch": "latch", "two-sequence": "2-sequence"}
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 3)))


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def trade_off(tradeoff: pd.DataFrame) -> Drawing:
    """Holding against learning: what a stronger latch gains and loses."""
    rows = _of_the_grid(tradeoff).sort_values("weight")
    drawn = rows[rows["simulated"] > 0]
    with style.context():
        figure, ax = style.subplots(height=2.9)
        ax.plot(rows["decay"], np.log10(rows["flip"]), "o-", color=style.BLUE, label="by quadrature", zorder=2)
        ax.plot(
            drawn["decay"], np.log10(drawn["simulated_flip"]), "x", color=style.VERMILLION, markersize=7,
            markeredgewidth=1.2, label="trajectories", zorder=3,
        )  # fmt: skip
        for place, (_, row) in enumerate(rows.iterrows()):
            offset = (6, 3) if place else (-3, -13)
            point = (row["decay"], np.log10(row["flip"]))
            ax.annotate(f"w = {row['weight']:g}", point, offset, textcoords="offset points", fontsize=6.5)
        ax.set_xlim(right=rows["decay"].max() * 1.2)
        ax.set_xlabel("decay of the gradient (nats per link)")
        ax.set_ylabel("log₁₀ probability of a flip")
        ax.legend(loc="lower left")
    steps, noise = int(rows["steps"].iloc[0]), rows["deviation"].iloc[0]
    first, last = rows.iloc[0], rows.iloc[-1]
    return Drawing(
        figure,
        f"One latch a mark: the probability that the bit reads wrong after {steps} noisy steps (s = {noise:g}) against "
        f"the rate at which the gradient decays. To the right the gradient vanishes faster, downwards the bit is "
        f"safer: from w = {first['weight']:g} to {last['weight']:g} the probability falls from {first['flip']:.2f} to "
        f"10^{np.log10(last['flip']):.0f} and what is left of the gradient over these steps from "
        f"10^{-first['decay'] * steps / DECADE:.0f} to 10^{-last['decay'] * steps / DECADE:.0f}. Exact by quadrature; "
        f"crosses: share of {int(drawn['simulated'].max())} drawn trajectories, where the probability can be seen.",
        "A curve that falls steeply from the upper left to the lower right: stronger latches flip less and forget "
        "their gradient faster.",
    )


def rates_by_weight(rates: pd.DataFrame) -> Drawing:
    """The gradient's rate at the attractor, and with noise."""
    kept = _of_the_grid(rates)
    means = kept.groupby(["noise", "weight"])[["rate", "predicted"]].mean().reset_index()
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.5, width_ratios=(1, 1))
        for (noise, rows), color, marker in zip(
            means.groupby("noise"), (style.BLUE, style.VERMILLION), "os", strict=False
        ):
            label = f"s = {noise:g}" if noise else "no input"
            for ax in axes:
                ax.plot(rows["weight"], rows["predicted"], "-", color=color, linewidth=1)
                ax.plot(rows["weight"], rows["rate"], marker, color=color, label=label, markersize=3.5)
        axes[1].set_xlim(1.0, 1.6)
        axes[1].set_ylim(-1.0, 0.0)
        for ax, title in zip(axes, ("all weights", "weak latches"), strict=True):
            ax.set_title(title)
            ax.set_xlabel("weight w")
        axes[0].set_ylabel("rate of the gradient (nats per link)")
        axes[0].legend()
    worst = (means["rate"] - means["predicted"]).abs().max()
    counts = kept.groupby(["noise", "weight"]).size()
    return Drawing(
        figure,
        f"Rate of |∂x_T/∂x_0| of settled latches: marks are measured (mean over {counts.min()} to {counts.max()} "
        "trajectories), lines join the closed forms: log w(1 − x̄²) at the attractor, and its mean under the "
        f"stationary law with noise. They differ by at most {worst:.1e} nats per link. Noise makes the gradient of "
        "the weakest latch vanish faster (its attractors lie close together at the steep middle, and noise throws it "
        "out of there), and that of stronger ones a little slower.",
        "Two panels of falling curves; the two curves cross between w = 1.05 and 1.25.",
    )


def convergence_by_length(shares: pd.DataFrame, convergence: pd.DataFrame) -> Drawing:
    """Fewer latches learn, the longer the bit must be held."""
    kept = _of_the_grid(shares)
    reaches = sorted(kept["reach"].unique())
    with style.context():
        figure, axes = style.subplots(
            1, len(reaches), width=style.FULL if len(reaches) > 1 else style.COLUMN, height=2.8, sharey=True,
            squeeze=False,
        )  # fmt: skip
        for ax, reach in zip(axes[0], reaches, strict=True):
            rows = kept[kept["reach"] == reach]
            for (rate, part), color, line in zip(rows.groupby("rate"), style.PALETTE, LINES, strict=False):
                _with_bars(ax, part, color, line, f"rate {rate:g}", 1.0)
            _with_bars(ax, rows[rows["rate"].isna()], style.BLACK, "-", "best rate, other seeds", 2.2)
            ax.set_xscale("log")
            lengths = sorted(rows["length"].unique())
            ax.set_xticks(lengths, [str(length) for length in lengths])
            ax.minorticks_off()
            ax.set_ylim(-0.03, 1.03)
            ax.set_xlabel("length T of the sequences")
            ax.set_title(f"initial inputs uniform on ±{reach:g}")
        axes[0][0].set_ylabel("share of runs that converge")
        axes[0][-1].legend(fontsize=6.5)
    each = kept[kept["rate"].notna()]
    ends = each[each["length"] == each["length"].max()]["share"]
    learnt = _of_the_grid(convergence)
    learnt = learnt[learnt["solved"]]
    turning = (learnt[learnt["length"] == each["length"].max()]["weight"] < -1).mean()
    return Drawing(
        figure,
        f"Share of minimal latches (s = {kept['noise'].iloc[0]:g}, w₀ = {kept['start_weight'].iloc[0]:g}) that learn "
        f"to hold their bit within {int(kept['updates'].iloc[0])} updates, with Wilson's 95 % interval, n = "
        f"{int(each['n'].min())} seeds a mark. Black: for each T the learning rate that converged most often on other "
        f"seeds, n = {int(kept['n'].min())}. At T = {int(each['length'].max())} between {ends.min():.0%} and "
        f"{ends.max():.0%} converge. Latches with w < −1, whose sign alternates, count as well, since T is fixed: at "
        f"that length {turning:.0%} of those that converge.",
        "Lines that fall from nearly one at the shortest sequences; those of small learning rates to nearly nothing.",
    )


def _with_bars(ax, part: pd.DataFrame, color: str, line: object, label: str, width: float) -> None:
    part = part.sort_values("length")
    errors = [part["share"] - part["low"], part["high"] - part["share"]]
    ax.errorbar(
        part["length"], part["share"], np.maximum(errors, 0.0), fmt="o", linestyle=line, color=color, linewidth=width,
        markersize=3, elinewidth=0.8, label=label,
    )  # fmt: skip


def _only(values: str) -> float:
    """The number in a list of one: a report's table holds a parameter that is a list as text."""
    return float(values.strip("[]"))


def _shares(fields: pd.DataFrame) -> str:
    means = fields.groupby("length")["share"].mean()
    return " and ".join(f"{mean:.0%} at T = {length}" for length, mean in means.items())


def map_of_convergence(density: pd.DataFrame) -> Drawing:
    """Where latches can be taught: noise and the weight they start from."""
    kept = _of_the_grid(density)
    kept = kept.assign(length=kept["lengths"].map(_only).astype(int))
    lengths = sorted(kept["length"].unique())
    with style.context():
        figure, axes = style.subplots(1, len(lengths), width=style.FULL, height=2.6, sharey=True, squeeze=False)
        for ax, length in zip(axes[0], lengths, strict=True):
            table = kept[kept["length"] == length].pivot(index="first_weight", columns="s", values="share")
            x, y = np.arange(len(table.columns)), np.arange(len(table.index))
            image = ax.pcolormesh(x, y, table, vmin=0, vmax=1, cmap="viridis", shading="nearest", rasterized=True)
            ax.set_xticks(x[::2], [f"{s:g}" for s in table.columns[::2]])
            ax.set_yticks(y, [f"{w:g}" for w in table.index])
            ax.set_title(f"T = {length}")
            ax.set_xlabel("noise s")
        axes[0][0].set_ylabel("initial weight w₀")
        figure.colorbar(image, ax=axes, label="share that converges")
    row = kept.iloc[0]
    return Drawing(
        figure,
        f"Share of latches that converge, over the noise and the weight they start from: n = {int(kept['n'].min())} "
        f"seeds a field, learning rate {_only(row['rates']):g}, {int(row['updates'])} updates. Axes are not to scale. "
        f"Below w = 1 there is nothing to hold the bit yet. Over all fields {_shares(kept)} converge.",
        "Heat maps, one a length, with noise to the right and the initial weight upwards.",
    )


def presentations(rivals: pd.DataFrame) -> Drawing:
    """Guessing weights against backpropagation."""
    kept = _of_the_grid(rivals)
    tasks = [task for task in TASKS if (kept["task"] == task).any()]
    lengths = sorted(kept["length"].unique())
    with style.context():
        figure, axes = style.subplots(
            len(tasks), len(lengths), width=style.FULL, height=0.6 + 1.9 * len(tasks), sharex=True, sharey=True,
            squeeze=False,
        )  # fmt: skip
        for row, task in zip(axes, tasks, strict=True):
            for ax, length in zip(row, lengths, strict=True):
                part = kept[(kept["task"] == task) & (kept["length"] == length)]
                _race(ax, part)
                ax.set_title(f"{TASKS[task]}, T = {length}")
            row[0].set_ylabel("share solved")
        for ax in axes[-1]:
            ax.set_xlabel("presentations")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=7)
    judged = kept[kept["best"] & ~kept["choosing"]]
    learnt = judged[judged["method"] == "backpropagation"]
    widest = judged[(judged["method"] == "guessing") & (judged["option"] == judged["option"].max())]
    return Drawing(
        figure,
        "Share of searches that have solved the task, against the sequences presented (a backward pass counts as "
        f"two). n = {learnt.groupby(['task', 'length']).size().min()} searches a line, on seeds other than those on "
        f"which the learning rate was chosen; grey: the other learning rates. In all {widest['solved'].mean():.0%} of "
        f"the searches by guesses of ±{widest['option'].max():g} succeed, after {widest['presentations'].mean():.0f} "
        f"presentations on average, and {learnt['solved'].mean():.0%} of those by backpropagation. Guesses within ±1 "
        "cannot hold the bit of the latch, which needs w > 1. Every line ends at the budget; the first 100 "
        "presentations are those that show that a network has solved the task.",
        "Panels with step curves; those of guessing rise to one within a few hundred presentations, those of "
        "backpropagation rise later and level off, the lower the longer the sequences.",
    )


def _race(ax, part: pd.DataFrame) -> None:
    judged = part[~part["choosing"]]
    others = judged[(judged["method"] == "backpropagation") & ~judged["best"]]
    for _, rows in others.groupby("option"):
        _steps(ax, rows, color=style.GREY, linewidth=0.6)
    learnt = judged[(judged["method"] == "backpropagation") & judged["best"]]
    _steps(ax, learnt, color=style.BLACK, linewidth=2, label="backpropagation, best rate")
    guesses = judged[judged["method"] == "guessing"]
    for (option, rows), color, line in zip(
        guesses.groupby("option"), (style.ORANGE, style.GREEN, style.BLUE), (":", "--", "-"), strict=False
    ):
        _steps(ax, rows, color=color, linestyle=line, label=f"guesses of ±{option:g}")
    ax.set_xscale("log")
    ax.set_ylim(-0.03, 1.03)


def _steps(ax, rows: pd.DataFrame, **options: object) -> None:
    """The share solved by each number of presentations, up to the budget."""
    solved = np.sort(rows.loc[rows["solved"], "presentations"])
    share = np.arange(1, len(solved) + 1) / len(rows)
    most = rows["updates"].iloc[0] * 6
    x = np.concatenate([[100], solved, [most]])
    y = np.concatenate([[0.0], share, share[-1:] if len(share) else [0.0]])
    ax.step(x, y, where="post", **options)


def balls_of_uncertainty(ball_paths: pd.DataFrame) -> Drawing:
    """A ball of uncertainty, outside and inside Γ."""
    kept = _of_the_grid(ball_paths)
    weights = sorted(kept["weight"].unique())
    with style.context():
        figure, axes = style.subplots(1, len(weights), width=style.FULL, height=2.5, sharey=True, squeeze=False)
        for ax, weight in zip(axes[0], weights, strict=True):
            rows = kept[kept["weight"] == weight]
            for (place, part), color, line in zip(rows.groupby("place"), style.PALETTE, LINES, strict=False):
                ax.plot(part["t"], part["log_radius"] / DECADE, linestyle=line, color=color, label=f"{place:g}")
            ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
            ax.set_ylim(-7, 4)
            ax.set_title(f"w = {weight:g}")
            ax.set_xlabel("links")
        axes[0][0].set_ylabel("log₁₀ radius / first radius")
        axes[0][-1].legend(title="start over Γ's border", fontsize=6.5)
    outside = kept[kept["place"] < 1].groupby(["weight", "place"])["log_radius"]
    return Drawing(
        figure,
        f"Radius of a small ball about a start at a_0, without noise, for {len(weights)} latches. Starts are given in "
        "units of Γ's border: below 1 they lie outside, between the unstable middle and Γ. Every ball outside grows "
        f"at first (the largest by 10^{outside.max().max() / DECADE:.1f}), exponentially as long as it is out there, "
        "and shrinks once it has come into Γ; every ball inside shrinks from the first link. Exact to rounding.",
        "Panels of curves: those that start outside rise first and then fall as straight lines, those inside fall at "
        "once.",
    )


def eigenvalues_mislead(driven_path: pd.DataFrame, driven: pd.DataFrame) -> Drawing:
    """Robustly latched by its eigenvalues, and its gradient explodes."""
    kept, networks = _of_the_grid(driven_path), _of_the_grid(driven)
    planted = driven_path[driven_path["control"] == "left-to-itself"]
    with style.context():
        figure, ax = style.subplots(height=2.7)
        for rows, color, line, label in (
            (kept, style.VERMILLION, "-", "driven"),
            (planted, style.BLUE, "--", "left to itself"),
        ):
            if len(rows):
                ax.plot(rows["t"], rows["log_norm"] / DECADE, line, color=color, label=label)
                ax.fill_between(
                    rows["t"], rows["low"] / DECADE, rows["high"] / DECADE, color=color, alpha=0.2, linewidth=0
                )
        ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        top = kept["high"].max() / DECADE
        ax.set_ylim(-top, 1.1 * top)
        ax.set_xlabel("links t")
        ax.set_ylabel("log₁₀ |∂a_t/∂a_0 v|")
        ax.legend(loc="upper left")
    return Drawing(
        figure,
        f"A latch of two units whose state stays robustly latched by the eigenvalue definition: of all iterates of its "
        f"map, from every state visited, no derivative has an eigenvalue above {networks['rho'].max():.2f}. Driven by "
        f"inputs that alternate between two values its gradient grows all the same, by {networks['growth'].mean():.2f} "
        f"nats a link (mean of n = {len(networks)} draws; shown is the first: mean, least and largest over "
        f"{int(networks['rows'].iloc[0])} starts). Single Jacobians have a norm of up to {networks['norm'].max():.1f}; "
        "eigenvalues do not tell. Left to itself, the same latch forgets.",
        "Two lines on a logarithmic scale: one with a band rises steadily, the other falls out of the picture.",
    )
