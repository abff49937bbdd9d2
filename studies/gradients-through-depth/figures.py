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


KINDS = {
    "plain": ("plain", style.VERMILLION),
    "residual": ("residual", style.BLUE),
    "pre-activation": ("pre-activation", style.SKY),
    "dense": ("dense", style.GREEN),
}
PADDINGS = {"zeros": "-", "circular": "--"}
SETTINGS = {
    ("standard", "none"): "old initialisation",
    ("he", "none"): "He's initialisation",
    ("he", "batch"): "He's, batch normalisation",
}
MOMENTS = {
    "at init": style.GREY,
    "after 1": style.ORANGE,
    "after 100": style.SKY,
    "after all": style.BLUE,
}
LOWER = {
    ("linear", "plain", "relu", "he", "batch"): ("ReLU, batch normalisation", style.GREEN, "-"),
    ("linear", "plain", "relu", "he", "none"): ("ReLU", style.BLUE, "-"),
    ("linear", "plain", "relu", "standard", "none"): ("ReLU, old initialisation", style.VERMILLION, "-"),
    ("linear", "plain", "tanh", "glorot", "none"): ("tanh", style.PURPLE, "-"),
    ("linear", "plain", "sigmoid", "glorot", "none"): ("sigmoid", style.ORANGE, "-"),
    ("convolution", "plain", "relu", "he", "batch"): ("CNN, batch normalisation", style.GREEN, "--"),
    ("convolution", "plain", "relu", "he", "none"): ("CNN", style.BLUE, "--"),
    ("convolution", "residual", "relu", "he", "batch"): ("residual CNN, batch normalisation", style.BLACK, ":"),
}
TENFOLD = np.log(10)


def _band(
    ax, x: pd.Series, rows: pd.DataFrame, column: str, unit: float = 1.0, low: str = "low", high: str = "high", **line
):
    ax.plot(x, rows[column] / unit, **line)
    ax.fill_between(x, rows[low] / unit, rows[high] / unit, color=line["color"], alpha=0.2, linewidth=0)


def gradient_by_block(family_blocks: pd.DataFrame) -> Drawing:
    """What the gradient at a block's own feature maps has become on its way back, family by family."""
    kept = _of_the_grid(family_blocks)
    settings = [s for s in SETTINGS if ((kept["initialisation"] == s[0]) & (kept["normalisation"] == s[1])).any()]
    rows = {"log_gradient": "gradient", "log_relative": "relative size"}
    with style.context():
        figure, axes = style.subplots(2, len(settings), width=style.FULL, height=4.2, sharex=True, squeeze=False)
        for column, setting in enumerate(settings):
            chosen = kept[(kept["initialisation"] == setting[0]) & (kept["normalisation"] == setting[1])]
            for place, quantity in enumerate(rows):
                ax = axes[place][column]
                ax.axhline(0, color=style.GREY, linewidth=0.5, linestyle=":")
                for (family, padding), part in chosen.groupby(["family", "padding"], sort=False):
                    part = part.sort_values("block")
                    ends = {"low": f"{quantity}_low", "high": f"{quantity}_high"}
                    line = {"color": KINDS[family][1], "linestyle": PADDINGS[padding]}
                    _band(ax, part["block"], part, quantity, TENFOLD, **ends, **line)
            axes[0][column].set_title(SETTINGS[setting])
            axes[1][column].set_xlabel("block")
        axes[0][0].set_ylabel("log₁₀ |∂L/∂f|, relative\nto the last block")
        axes[1][0].set_ylabel("log₁₀ of |∂L/∂f| |f| / √dim,\nrelative to the last block")
        for family in [f for f in KINDS if (kept["family"] == f).any()]:
            axes[0][-1].plot([], [], color=KINDS[family][1], label=KINDS[family][0])
        for padding in [p for p in PADDINGS if (kept["padding"] == p).any()]:
            axes[0][-1].plot([], [], PADDINGS[padding], color=style.GREY, label=f"{padding} padding")
        axes[0][-1].legend(fontsize=6)
    n = int(kept["n"].min())
    return Drawing(
        figure,
        f"Gradient at each block's own new feature maps f (above) and its size relative to them (below), at "
        f"initialisation: mean of logarithms over n = {n} networks a curve with 95 % intervals, relative to the last "
        "block. Blocks near the input are left: a curve that falls to the left vanishes, one that rises explodes. Of a "
        "dense block only its new maps count.",
        "Two rows of panels, one column an initialisation; only the plain networks' gradient falls by many decades "
        "under the old initialisation, and their gradient rises most with batch normalisation.",
    )


def rates_by_training_step(moment_rates: pd.DataFrame) -> Drawing:
    """How fast gradients grow or vanish over depth, as training goes on."""
    kept = _of_the_grid(moment_rates)
    kept = kept[(kept["layer"] == "convolution") & kept["moment"].isin(list(MOMENTS))]
    depths = sorted(kept["depth"].unique())
    with style.context():
        figure, ax = style.subplots(height=2.8)
        ax.axhspan(-0.01, 0.01, color="#DDDDDD", label="neither vanishes nor explodes")
        for shift, ((experiment, family), rows) in enumerate(kept.groupby(["experiment", "family"], sort=True)):
            for moment, color in MOMENTS.items():
                part = rows[rows["moment"] == moment]
                # Blocks of residual networks have two layers.
                rates = part["rate"] / part["block_layers"]
                places = np.array([depths.index(depth) for depth in part["depth"]]) + 0.2 * (shift - 1)
                marker = "s" if family == "residual" else ("o" if experiment == "training" else "D")
                filled = color if experiment == "training" else "none"
                ax.plot(places, rates, marker, color=color, markerfacecolor=filled, markersize=3)
        for moment, color in MOMENTS.items():
            ax.plot([], [], "o", color=color, markersize=3, label=moment.replace("after all", "after all updates"))
        named = {
            "training": ("o", "plain, short training"),
            "plain": ("D", "plain, until level"),
            "residual": ("s", "residual"),
        }
        present = set(kept["experiment"]) | set(kept["family"][kept["experiment"] == "degradation"])
        for name, (marker, label) in named.items():
            if name in present:
                face = style.BLACK if name == "training" else "none"
                ax.plot([], [], marker, color=style.BLACK, markerfacecolor=face, markersize=3, label=label)
        ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
        ax.set_xlabel("weight layers")
        ax.set_ylabel("rate of |∂L/∂x| (nats per layer)")
        ax.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1, 1))
    return Drawing(
        figure,
        "Rate of the gradient's norm over depth on its way back, in convolutional networks with batch normalisation, "
        "at states of equal shape; one mark a network and moment of training. Above the grey band gradients explode, "
        "below it they vanish.",
        "Marks far above the grey band at initialisation come down as training goes on; almost none lies below it.",
    )


def relative_update_by_layer(lower_layers: pd.DataFrame) -> Drawing:
    """How much each layer's weights change in the first epoch, and when its representation is ready."""
    kept = _of_the_grid(lower_layers)
    names = ["layer", "family", "activation", "initialisation", "normalisation"]
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.9)
        for key, part in kept.groupby(names, sort=False):
            if key not in LOWER:
                continue
            label, color, line = LOWER[key]
            part = part.sort_values("weight")
            inner = part[(part["weight"] > 0) & (part["weight"] < part["weight"].max())]
            _band(axes[0], inner["weight"], inner, "log_update", TENFOLD, color=color, linestyle=line, label=label)
            ready = inner[inner["settled"].notna()]
            axes[1].plot(ready["weight"], ready["settled"], line, color=color)
        axes[0].set_ylim(bottom=-9)
        axes[0].set_ylabel("log₁₀ |W − W(0)| / |W(0)|\nafter the first epoch")
        axes[1].set_ylabel("share of the training until\nCKA to the end stays above 0.9")
        for ax in axes:
            ax.set_xlabel("layer")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=6)
    n = int(kept["n"].min())
    return Drawing(
        figure,
        f"Left: relative change of each layer's weights after one epoch, mean of logarithms over n = {n} networks a "
        "curve with 95 % intervals; curves that leave the panel below stay below it. Right: how much of the training "
        "passes until a layer's representation of the images is nearly its final one (networks that learn nothing are "
        "ready at once). Lower layers are left. If they trained slower, curves would rise on the left and fall on the "
        "right.",
        "Two panels of lines over layers; on the left sigmoid and old initialisations rise steeply, batch "
        "normalisation falls; on the right lines rise, so that lower layers are ready first.",
    )


def paths_by_length(path_lengths: pd.DataFrame) -> Drawing:
    """The gradient that comes back on paths of each length, and how much of it there is."""
    kept = _of_the_grid(path_lengths)
    curves = {
        ("batch", "at init"): ("batch normalisation, at init", style.GREY, "-"),
        ("batch", "after all"): ("batch normalisation, trained", style.BLUE, "-"),
        ("none", "at init"): ("no normalisation, at init", style.VERMILLION, "--"),
    }
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.6)
        for (normalisation, moment), part in kept.groupby(["normalisation", "moment"], sort=False):
            if (normalisation, moment) not in curves:
                continue
            label, color, line = curves[normalisation, moment]
            part = part.sort_values("length")
            first = part["log_path"].iloc[0]
            moved = part.assign(**{name: part[name] - first for name in ("log_path", "low", "high")})
            _band(axes[0], part["length"], moved, "log_path", TENFOLD, color=color, linestyle=line, label=label)
            axes[1].plot(part["length"], _shares(part["log_mass"]), line, color=color)
        counts = part["log_count"]
        axes[1].plot(part["length"], _shares(counts), ":", color=style.BLACK, label="paths of that length")
        axes[0].set_ylabel("log₁₀ |g| of a path, relative\nto the one through no branch")
        axes[1].set_ylabel("share of all paths' |g|")
        axes[0].legend(fontsize=6)
        axes[1].legend(fontsize=6)
        for ax in axes:
            ax.set_xlabel("branches on the path")
    n = int(kept["n"].min())
    return Drawing(
        figure,
        f"Left: norm of the gradient that comes back on one path, by the number k of branches it goes through: mean of "
        f"logarithms over random paths and n = {n} networks, with 95 % intervals; a straight line is an exponential "
        "decay. Right: share of the paths of length k in the sum of all paths' norms, beside their share in the number "
        "of paths (dotted), which is binomial.",
        "Left, nearly straight falling lines with batch normalisation; right, humps that stand at shorter paths than "
        "the binomial hump.",
    )


def _shares(logs: pd.Series) -> pd.Series:
    parts = np.exp(logs - logs.max())
    return parts / parts.sum()


def training_error_by_depth(training_errors: pd.DataFrame, training_curves: pd.DataFrame) -> Drawing:
    """Training error of plain and residual networks by depth."""
    errors, curves = (_degraded(table) for table in (training_errors, training_curves))
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.6)
        for family, rows in errors.groupby("family", sort=True):
            label, color = KINDS[family]
            for level, face in ((True, color), (False, "none")):
                part = rows[rows["levelled"].astype(bool) == level]
                axes[0].plot(part["depth"], 100 * part["error"], "o", color=color, markerfacecolor=face, markersize=3)
            means = rows.groupby("depth")["error"].mean()
            axes[0].plot(means.index, 100 * means, color=color, label=label)
        depths = sorted(curves["depth"].unique())
        for (family, depth), part in curves.groupby(["family", "depth"], sort=True):
            part, shade = part.sort_values("epoch"), 0.3 + 0.7 * (depths.index(depth) + 1) / len(depths)
            axes[1].plot(part["epoch"], 100 * part["error"], color=KINDS[family][1], alpha=shade)
            axes[1].annotate(
                str(depth), (part["epoch"].iloc[-1], 100 * part["error"].iloc[-1]), xytext=(2, -2),
                textcoords="offset points", fontsize=6, color=KINDS[family][1],
            )  # fmt: skip
        axes[0].set_xlabel("weight layers")
        axes[1].set_xlabel("epoch")
        axes[0].set_ylabel("training error (%)")
        axes[0].set_ylim(bottom=0)
        axes[1].set_ylim(bottom=0)
        if len(errors):
            axes[0].legend()
    level = int(errors["levelled"].astype(bool).sum()) if len(errors) else 0
    return Drawing(
        figure,
        f"Training error with batch normalisation. Left: at the end of training, one mark a network and the mean by "
        f"depth; filled if the loss had levelled ({level} of {len(errors)}). Right: over training, mean over networks, "
        "with the number of weight layers; the learning rate falls at half, three quarters and four fifths of the "
        "epochs.",
        "Left, the line of plain networks rises with depth and that of residual ones does not; right, falling curves.",
    )


def _degraded(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the networks that were trained until the loss levelled, or of any training where there are none."""
    kept = _of_the_grid(table)
    chosen = kept[kept["experiment"] == "degradation"]
    return chosen if len(chosen) else kept[kept["experiment"] == "training"]
