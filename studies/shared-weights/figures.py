"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.claims.intervals import mean_estimate
from gradstudy.claims.neychev2019weights import MORE_OFTEN, WIDER
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

KINDS = {"tied": (style.VERMILLION, "o"), "independent": (style.BLUE, "s")}
NAMES = {"tied": "one matrix", "independent": "a matrix a step"}
OUTCOMES = {"jumped": "loss jumped", "ruined": "loss ruined", "failed": "task not learnt"}
SCHEMES = {"gaussian": "Gaussian", "uniform": "uniform", "orthogonal": "orthogonal"}


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def _numbers(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def spread_of_products(spreads: pd.DataFrame) -> Drawing:
    """Spread over draws of the growth of products, by the number of factors."""
    kept = _of_the_grid(spreads)
    kept = kept[kept["experiment"] == "products"]
    widths = sorted(kept["width"].unique())
    with style.context():
        figure, axes = style.subplots(1, len(widths), width=style.FULL, height=2.8, sharey=True, squeeze=False)
        for ax, width in zip(axes[0], widths, strict=True):
            at_width = kept[kept["width"] == width]
            for sharing, (color, marker) in KINDS.items():
                rows = at_width[(at_width["sharing"] == sharing) & ~at_width["unit_radius"]]
                law = "T · spread of log ρ" if sharing == "tied" else "√T · spread of log |Wv|"
                theory = rows.groupby("steps")["law_spread"].mean()
                ax.plot(theory, color=color, linewidth=0.8, label=f"law: {law}")
                _spread_marks(ax, rows, color, marker, NAMES[sharing])
            fixed = at_width[at_width["unit_radius"]]
            if len(fixed):
                _spread_marks(ax, fixed, style.GREEN, "^", "one matrix, ρ set to 1")
            ax.set_xscale("log")
            ax.set_yscale("log")
            steps = sorted(at_width["steps"].unique())
            ax.set_xticks(steps, [f"{step:,}" for step in steps])
            ax.minorticks_off()
            ax.set_xlabel("number of factors T")
            ax.set_title(f"matrices of {width} rows")
        axes[0, 0].set_ylabel("spread of log |Pv| (nats)")
        axes[0, -1].legend(fontsize=6.5)
    longest = kept[kept["steps"] == kept["steps"].max()].groupby(["width", "sharing", "unit_radius"])["spread"].mean()
    words = [
        f"{longest[width, 'tied', False]:.0f} against {longest[width, 'independent', False]:.1f} nats at n = {width}"
        for width in widths
    ]
    fixed = bool(kept["unit_radius"].any())
    own = " If every matrix is divided by its own spectral radius ρ, it hardly grows." if fixed else ""
    return Drawing(
        figure,
        f"Standard deviation over draws of log |Pv| for products P of T Gaussian matrices, mean over "
        f"n = {kept['block'].nunique()} blocks of 50 draws with 95 % intervals (smaller than most marks). The spread "
        f"grows as T if one matrix multiplies T times and as √T with independent ones: after {kept['steps'].max():,} "
        f"factors {', '.join(words)}.{own}",
        "Log-log plots: the line of one matrix has slope one and lies far above that of independent matrices, whose "
        "slope is one half; a third line, for one matrix of spectral radius one, is nearly flat.",
    )


def _spread_marks(ax, rows: pd.DataFrame, color: str, marker: str, label: str) -> None:
    parts = rows.groupby("steps")["spread"]
    found = [mean_estimate(values.tolist(), "") for _, values in parts]
    bars = np.array([[e.value - e.low, e.high - e.value] for e in found]).T
    ax.errorbar(
        list(parts.groups), [e.value for e in found], bars, fmt=marker, color=color, markersize=3.5, label=label
    )


def bulk_of_the_spectra(eigenvalues: pd.DataFrame, bulk: pd.DataFrame) -> Drawing:
    """Eigenvalues of a power of one matrix and of a product of independent ones."""
    points, counts = _of_the_grid(eigenvalues), _of_the_grid(bulk)
    depth, width = int(counts["depth"].iloc[0]), int(counts["width"].iloc[0])
    angle = np.linspace(0, 2 * np.pi, 200)
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=3.5, sharey=True)
        for ax, (sharing, (color, _)) in zip(axes, KINDS.items(), strict=True):
            rows = points[points["sharing"] == sharing]
            ax.scatter(rows["real"], rows["imaginary"], s=5, c=color, linewidths=0)
            for law in [*counts["law_share"].unique(), 1.0]:
                ax.plot(law**0.5 * np.cos(angle), law**0.5 * np.sin(angle), color=style.GREY, linewidth=0.6)
            ax.set_aspect("equal")
            ax.set_xticks([-1, -0.5, 0, 0.5, 1])
            ax.set_yticks([-1, -0.5, 0, 0.5, 1])
            ax.set_xlabel("real part")
            ax.set_title("one matrix to a power" if sharing == "tied" else "independent matrices")
        axes[0].set_ylabel("imaginary part")
    shares = counts.groupby(["law_share", "sharing"])["share"].mean()
    words = [
        f"{shares[law, 'tied']:.3f} and {shares[law, 'independent']:.3f} for {law:g}"
        for law in counts["law_share"].unique()
    ]
    return Drawing(
        figure,
        f"Eigenvalues λ of one product of {depth} Gaussian matrices of {width} rows of each kind, at |λ|^(1/{depth}) "
        f"with the angle of λ. By the law of large matrices the circles hold 1/4, 1/2, 3/4 and all of them; found, "
        f"over n = {counts['draw'].nunique()} products of each kind (one matrix, and independent ones): "
        f"{', '.join(words)}. The bulk does not tell the two apart.",
        "Two discs evenly filled with points, one for each kind of product, that look alike.",
    )


def spread_of_gradients(spreads: pd.DataFrame, gradient_rates: pd.DataFrame) -> Drawing:
    """Gradients of nonlinear networks at initialisation: single networks, and their spread."""
    kept, rates = _of_the_grid(spreads), _of_the_grid(gradient_rates)
    kept = kept[kept["experiment"] == "initialisation"]
    kept = kept[kept["steps"] == kept["steps"].max()]
    by = ["scheme", "gain", "drive"]
    found = list(kept.groupby(by, sort=True))
    with style.context():
        height = 1.3 + 0.26 * len(found)
        figure, axes = style.subplots(1, 2, width=style.FULL, height=height, sharey=True, width_ratios=[1.5, 1])
        for place, (design, rows) in enumerate(found):
            networks = rates[(rates[by] == list(design)).all(axis=1)]
            for shift, (sharing, (color, _)) in zip((0.17, -0.17), KINDS.items(), strict=True):
                values = networks[networks["sharing"] == sharing]["rate"]
                label = NAMES[sharing] if not place else None
                axes[0].plot(values, np.full(len(values), place + shift), "|", color=color, markersize=5, label=label)
            _ratio(axes[1], rows, place)
        axes[0].set_yticks(range(len(found)), [f"{SCHEMES[s]}, gain {g:g}, inputs {d:g}" for (s, g, d), _ in found])
        axes[0].axvline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        axes[0].set_ylim(-0.6, len(found) - 0.4)
        axes[0].set_xlabel("rate of the gradient on its way back (nats per link)")
        axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        axes[1].axvline(1, color=style.GREY, linewidth=0.6, linestyle=":")
        axes[1].axvline(np.exp(WIDER), color=style.BLACK, linewidth=0.8, label="counts as wider")
        axes[1].set_xscale("log")
        axes[1].set_xticks([1, 2, 5], ["1", "2", "5"])
        axes[1].minorticks_off()
        axes[1].set_xlabel("spread, one matrix over\na matrix a step")
        axes[1].legend(loc="lower left", bbox_to_anchor=(0, 1))
    blocks = _numbers(kept.groupby(by)["block"].nunique().tolist())
    return Drawing(
        figure,
        f"tanh networks of {kept['width'].iloc[0]} units at initialisation. Left: the rate of the gradient over "
        f"{kept['steps'].iloc[0]} links in 50 single networks of each kind (one mark each). Both have about the same "
        "mean; recurrent networks, with one matrix, lie further apart. Right: ratio of their spreads, mean over "
        f"{blocks} blocks of 50 draws with 95 % intervals.",
        "Left, rows of ticks by initialisation: those for one matrix are spread wider than those below them for a "
        "matrix a step. Right, ratios of the spreads with intervals, most well above the line at 1.25.",
    )


def _ratio(ax, rows: pd.DataFrame, place: int) -> None:
    both = rows.pivot(index="block", columns="sharing", values="spread")
    ratio = mean_estimate(np.log(both["tied"] / both["independent"]).tolist(), "")
    ends = np.exp([ratio.low, ratio.high])
    ax.plot(ends, [place, place], color=style.BLACK, linewidth=0.8)
    ax.plot(np.exp(ratio.value), place, "D", color=style.BLACK, markersize=3.5)


def training_by_learning_rate(by_rate: pd.DataFrame) -> Drawing:
    """How trainings end, by learning rate and depth."""
    kept = _of_the_grid(by_rate)
    depths = sorted(kept["length"].unique())
    with style.context():
        figure, axes = style.subplots(
            len(OUTCOMES), len(depths), width=style.FULL, height=1.45 * len(OUTCOMES) + 0.7, sharex=True, sharey=True,
            squeeze=False,
        )  # fmt: skip
        for column, depth in enumerate(depths):
            for line, (outcome, name) in enumerate(OUTCOMES.items()):
                ax = axes[line, column]
                _curves(ax, kept[kept["length"] == depth], outcome)
                if not column:
                    ax.set_ylabel(f"share:\n{name}")
                if not line:
                    ax.set_title(f"{depth} steps")
            axes[-1, column].set_xlabel("learning rate")
        axes[0, 0].set_xscale("log", base=2)
        axes[0, 0].set_ylim(-0.04, 1.04)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
    draws = [f"{rows['n'].iloc[0] * rows['scheme'].nunique()} at {depth}" for depth, rows in kept.groupby("length")]
    return Drawing(
        figure,
        "Share of the trainings whose loss jumped in some update, ended ruined, or that had not learnt the task at the "
        f"end, by learning rate; Gaussian and orthogonal weights together ({', '.join(draws)} steps a mark). The same "
        "draws are trained at every learning rate. Networks with one matrix (recurrent) are thrown off at smaller "
        "learning rates; with depth those with a matrix a step cease to learn within the updates given.",
        "A grid of line plots of shares between 0 and 1 over learning rates: at few steps the curves of recurrent "
        "networks rise earlier than the others; at forty steps networks with a matrix a step mostly do not learn.",
    )


def _curves(ax, rows: pd.DataFrame, outcome: str) -> None:
    for clipped, line in ((False, "-"), (True, "--")):
        for sharing, (color, marker) in KINDS.items():
            chosen = rows[(rows["sharing"] == sharing) & (rows["threshold"].notna() == clipped)]
            if len(chosen):
                label = NAMES[sharing] + (", clipped" if clipped else "")
                shares = chosen.groupby("learning_rate")[outcome].mean()
                ax.plot(shares, line, marker=marker, color=color, markersize=2.5, linewidth=1, label=label)


def training_differences(trainings: pd.DataFrame) -> Drawing:
    """How much more often the trainings of recurrent networks go wrong."""
    kept = _of_the_grid(trainings).assign(clipped=lambda rows: rows["threshold"].notna())
    found = list(kept.groupby(["length", "scheme", "clipped"], sort=True))
    with style.context():
        figure, axes = style.subplots(
            1, len(OUTCOMES), width=style.FULL, height=1.1 + 0.22 * len(found), sharex=True, sharey=True
        )
        for ax, (outcome, name) in zip(axes, OUTCOMES.items(), strict=True):
            ax.axvline(0, color=style.GREY, linewidth=0.6, linestyle=":")
            ax.axvline(MORE_OFTEN, color=style.BLACK, linewidth=0.8)
            for place, (_, rows) in enumerate(found):
                _difference(ax, rows, outcome, len(found) - 1 - place)
            ax.set_title(name)
            ax.set_xlabel("one matrix minus\na matrix a step")
        labels = [f"{d} steps, {SCHEMES[s]}{', clipped' if c else ''}" for (d, s, c), _ in found]
        axes[0].set_yticks(range(len(found)), labels[::-1])
    draws = _numbers(kept.groupby(["length", "scheme", "clipped"])["network"].nunique().tolist())
    return Drawing(
        figure,
        "Share of the trainings over all learning rates that went wrong, in three ways: recurrent networks minus "
        f"networks with a matrix a step, paired by the draw; mean over n = {draws} draws with 95 % intervals. Right of "
        f"the black line, at {MORE_OFTEN:g}, recurrent networks go wrong more often.",
        "Three panels of differences with intervals. Loss jumps: mostly right of the line. Ruined and not learnt: "
        "right of it at ten steps and far left of it at forty steps.",
    )


def _difference(ax, rows: pd.DataFrame, outcome: str, place: int) -> None:
    both = rows.pivot(index="network", columns="sharing", values=outcome)
    found = mean_estimate((both["tied"] - both["independent"]).tolist(), "")
    color = style.PURPLE if rows["clipped"].iloc[0] else style.BLACK
    ax.plot([found.low, found.high], [place, place], color=color, linewidth=0.8)
    ax.plot(found.value, place, "D", color=color, markersize=3.5)
