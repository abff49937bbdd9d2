"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.claims.intervals import mean_estimate
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

ARMS = {
    "SGD": ("MSGD", style.GREY, "-"),
    "SGD-C": ("MSGD+C", style.BLUE, "--"),
    "SGD-CR": ("MSGD+CR", style.VERMILLION, "-"),
}
# Worse arm, better arm, whether Ω is summed over steps, name.
PAIRS = (
    ("SGD", "SGD-C", False, "+C over MSGD"),
    ("SGD-C", "SGD-CR", False, "+CR over +C"),
    ("SGD-C", "SGD-CR", True, "+CR over +C, Ω summed"),
)
SETS = {
    "nottingham": "Nottingham",
    "piano-midi": "Piano-midi",
    "musedata": "MuseData",
    "jsb": "JSB chorales",
    "generated": "generated",
}


def _grid(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that no control planted."""
    return table[table["control"].isna() | (table["control"] == "")]


def _main(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that no control planted, with Ω as a mean over steps."""
    kept = _grid(table)
    return kept[kept["omega"] == "code"]


def _sets(table: pd.DataFrame) -> list[str]:
    return [name for name in SETS if (table["music"] == name).any()]


def _mean(ax, values: pd.Series, place: float, color: str) -> None:
    """Mean with its 95 % interval over networks; nothing where one diverged (NaN)."""
    found = mean_estimate(values.tolist(), "")
    half = found.high - found.value
    ax.errorbar(found.value, place, xerr=half, fmt="o", color=color, markersize=4, capsize=2)


def _diverged(rows: pd.DataFrame) -> str:
    """How many trainings have no number, if any."""
    lost = rows[rows["nats"].isna()].drop_duplicates(["music", "arm", "member", "omega", "first_rate"])
    told = ", ".join(f"{count} of {ARMS[arm][0]}" for arm, count in lost.groupby("arm").size().items())
    return f" Trainings that diverged, so that nothing is a mean with them: {told}." if told else ""


def _panels(names: list[str], height: float, rows: int = 1, **options):
    width = style.FULL if len(names) > 1 else style.COLUMN
    return style.subplots(rows, len(names), width=width, height=height, squeeze=False, **options)


def table_one(likelihoods: pd.DataFrame, constants: pd.DataFrame, published: pd.DataFrame) -> Drawing:
    """Table 1 with the paper's numbers beside ours."""
    kept, trivial, paper = _main(likelihoods), _main(constants), _main(published)
    names = _sets(kept)
    places = {(arm, split): -(2.6 * i + j) for i, arm in enumerate(ARMS) for j, split in enumerate(("train", "test"))}
    with style.context():
        figure, axes = _panels(names, 2.5, sharey=True)
        for ax, name in zip(axes[0], names, strict=True):
            rows, beside = kept[kept["music"] == name], trivial[trivial["music"] == name]
            for (arm, split), place in places.items():
                part = rows[(rows["arm"] == arm) & (rows["split"] == split)]["nats"]
                color = ARMS[arm][1]
                ax.plot(part, np.full(len(part), place), ".", color=color, alpha=0.35, markersize=3)
                _mean(ax, part, place, color)
                told = paper[(paper["music"] == name) & (paper["arm"] == arm) & (paper["split"] == split)]
                for source, marker in (("pascanu2013", "D"), ("pascanu2012", "s")):
                    one = told[told["source"] == source]["nats"]
                    ax.plot(one, np.full(len(one), place), marker, mfc="none", color=style.BLACK, markersize=4.5)
            for split, line in (("train", ":"), ("test", "--")):
                ax.axvline(beside[beside["split"] == split]["nats"].iloc[0], color=style.GREY, ls=line, lw=0.8)
            ax.set_title(SETS[name])
            ax.set_xlabel("negative log-likelihood\n(nats a chord)")
        axes[0, 0].set_yticks(list(places.values()), [f"{ARMS[arm][0]}, {split}" for arm, split in places])
        axes[0, 0].plot([], [], "o", color=style.GREY, label="here: mean")
        axes[0, 0].plot([], [], "D", mfc="none", color=style.BLACK, label="paper, ICML")
        if (paper["source"] == "pascanu2012").any():
            axes[0, 0].plot([], [], "s", mfc="none", color=style.BLACK, label="paper, arXiv v2 (second-hand)")
        axes[0, 0].plot([], [], "--", color=style.GREY, lw=0.8, label="key frequencies (train dotted, test dashed)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    n, hidden = int(kept.groupby(["music", "arm", "split"]).size().min()), kept["hidden"].max()
    units = f" of {hidden:.0f} units" if hidden > 0 else ""
    return Drawing(
        figure,
        f"Negative log-likelihood of a chord, as in Table 1 of Pascanu et al. (2013), by arm, on training and test "
        f"songs: small dots the n = {n} networks{units}, large ones their mean with its 95 % interval. Hollow: what "
        "the paper reports of 300 or 400 units, as far as it has the set. Vertical lines: a predictor that knows how "
        f"often each key sounds in the training songs and nothing else.{_diverged(kept)}",
        "Rows of dots, one an arm and split, with hollow marks for the paper's numbers and vertical lines for the key "
        "frequencies.",
    )


def gains(likelihoods: pd.DataFrame, published: pd.DataFrame) -> Drawing:
    """What clipping gains over none, and Ω over clipping alone."""
    kept, paper = _grid(likelihoods), _main(published)
    paper = paper[paper["source"] == "pascanu2013"]
    names = _sets(kept)
    kept = kept.assign(summed=kept["omega"] != "code")
    pairs = [pair for pair in PAIRS if (kept["summed"] == pair[2]).any()]
    labels = [(*pair, split) for pair in pairs for split in ("train", "test")]
    with style.context():
        figure, axes = _panels(names, 0.9 + 0.32 * len(labels), sharey=True)
        for ax, name in zip(axes[0], names, strict=True):
            own, its = kept[kept["music"] == name], paper[paper["music"] == name].assign(member=0)
            for place, (worse, better, summed, _, split) in enumerate(labels):
                found = _differences(own[own["summed"] == summed], worse, better, split)
                color, at = style.ORANGE if summed else ARMS[better][1], np.full(len(found), -place)
                ax.plot(found, at, ".", color=color, alpha=0.35, markersize=3)
                if len(found):
                    _mean(ax, found, -place, color)
                told = _differences(its, worse, better, split)[: 0 if summed else None]
                ax.plot(told, np.full(len(told), -place), "D", mfc="none", color=style.BLACK, markersize=4.5)
            ax.axvline(0, color=style.BLACK, lw=0.6)
            ax.set_title(SETS[name])
            ax.set_xlabel("gain (nats a chord)")
        axes[0, 0].set_yticks(-np.arange(len(labels)), [f"{name}, {split}" for _, _, _, name, split in labels])
    n = int(kept[~kept["summed"]].groupby(["music", "arm", "split"]).size().min())
    few = int(kept[kept["summed"]].groupby(["music", "arm", "split"]).size().min()) if kept["summed"].any() else 0
    also = f" (Ω as a sum over steps, as in Eq. 10: n = {few})" if few else ""
    told = " Hollow: the paper's own differences." if len(paper) else ""
    return Drawing(
        figure,
        "How much less a chord costs with clipping than without (+C over MSGD), and with clipping and Ω than with "
        "clipping alone (+CR over +C), in pairs of networks with the same initial weights and the same chords: small "
        f"dots the n = {n} pairs{also}, large ones their mean with its 95 % interval. Gains lie right of the line."
        f"{told}{_diverged(kept)}",
        "Rows of dots about a vertical line at zero.",
    )


def _differences(rows: pd.DataFrame, worse: str, better: str, split: str) -> pd.Series:
    table = rows[rows["split"] == split].pivot(index="member", columns="arm", values="nats")
    table = table.reindex(columns=[worse, better])
    return table[worse] - table[better]


def learning_rates(trials: pd.DataFrame) -> Drawing:
    """Which first learning rate suits which arm."""
    kept = _main(trials)
    names = _sets(kept)
    rates = sorted(kept["first_rate"].unique())
    with style.context():
        figure, axes = _panels(names, 2.1)
        for ax, name in zip(axes[0], names, strict=True):
            for arm, (label, color, line) in ARMS.items():
                rows = kept[(kept["music"] == name) & (kept["arm"] == arm)]
                means = rows.fillna({"nats": np.inf}).groupby("first_rate")["nats"].mean()
                ax.plot(rows["first_rate"], rows["nats"], ".", color=color, alpha=0.4, markersize=3)
                ax.plot(means.index, means, line, color=color, label=label)
                ax.plot(means.idxmin(), means.min(), "o", color=color)
            ax.set_xscale("log", base=2)
            ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
            ax.set_title(SETS[name])
            ax.set_xlabel("first learning rate")
        axes[0, 0].set_ylabel("nats a chord,\nvalid songs")
        axes[0, 0].legend()
    n = int(kept.groupby(["music", "arm", "first_rate"]).size().min())
    return Drawing(
        figure,
        f"Negative log-likelihood of the validation songs after training at each first learning rate: dots the n = {n} "
        "networks, which are not compared afterwards, lines their means. The large dot is the rate that the arm is "
        f"compared at{_edges(kept)}.{_diverged(kept)}",
        "Curves of nats a chord over the first learning rate, one an arm, with a large dot at the least.",
    )


def _edges(trials: pd.DataFrame) -> str:
    """Which arms' best rates are the least or the greatest tried, so that a better one may lie beyond."""
    means = trials.fillna({"nats": np.inf}).groupby(["music", "arm", "first_rate"])["nats"].mean()
    best = means.groupby(["music", "arm"]).idxmin()
    rates = (trials["first_rate"].min(), trials["first_rate"].max())
    told = ", ".join(f"{ARMS[arm][0]} on {SETS[music]}" for music, arm, rate in best if rate in rates)
    return f"; at the edge of those tried, so that a better one may lie beyond, is that of {told}" if told else ""


def _clipped(rows: pd.DataFrame) -> str:
    """How many updates were clipped with clipping alone, and when."""
    share = rows[rows["arm"] == "SGD-C"].groupby("update")["clipped"].mean()
    said = f"Of the updates of MSGD+C {100 * share.mean():.2g} % were clipped"
    return (
        f"{said}, {share.iloc[0] / share.sum():.0%} of these among the first {share.index[0]}."
        if share.any()
        else f"{said}."
    )


def learning_curves(courses: pd.DataFrame) -> Drawing:
    """How training goes under each arm, and how large its gradients are."""
    kept = _main(courses)
    names = _sets(kept)
    with style.context():
        figure, axes = _panels(names, 3.6, rows=2, sharex="col")
        for (upper, lower), name in zip(axes.T, names, strict=True):
            for arm, (label, color, line) in ARMS.items():
                rows = kept[(kept["music"] == name) & (kept["arm"] == arm)]
                by_update = rows.groupby("update")
                mean = by_update["nats"].mean()
                upper.plot(mean.index, mean, line, color=color, label=label)
                largest = by_update["largest_gradient_norm"].median()
                lower.plot(largest.index, largest, line, color=color)
            lower.axhline(rows["threshold"].iloc[0], color=style.BLACK, lw=0.6, ls=":")
            lower.set_yscale("log")
            upper.set_title(SETS[name])
            lower.set_xlabel("updates")
            upper.set_ylim(
                top=float(kept[kept["music"] == name].groupby(["arm", "update"])["nats"].mean().quantile(0.8))
            )
        axes[0, 0].set_ylabel("training loss\n(nats a chord)")
        axes[1, 0].set_ylabel("largest |∂L/∂θ|")
        axes[0, 0].legend()
    every, n = int(kept["every"].max()), int(kept.groupby(["music", "arm", "update"]).size().min())
    return Drawing(
        figure,
        f"Above: mean training loss of every {every} updates, without Ω, over n = {n} networks an arm, each arm at its "
        "own rate. Below: the largest gradient norm before clipping within them (Ω's part included), median over the "
        f"networks; dotted: the threshold of clipping. {_clipped(kept)}",
        "Two rows of panels over updates: training losses above, gradient norms and the threshold of clipping below.",
    )
