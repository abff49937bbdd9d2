"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.claims.balduzzi2017 import log_correlation
from gradstudy.claims.depth import tolerance
from gradstudy.claims.intervals import jackknife_estimate, log_mean_estimate, mean_estimate
from gradstudy.plot import style, tracked
from gradstudy.plot.drawing import Drawing
from gradstudy.theory import balduzzi2017, he2015init

DECADE = np.log(10)
FAMILIES = {
    "standard": ("standard initialisation", style.VERMILLION, "s"),
    "he": ("He's initialisation, ReLU", style.BLUE, "o"),
    "batch": ("batch normalisation", style.GREEN, "^"),
    "tanh": ("mean field, tanh", style.PURPLE, "D"),
    "relu": ("mean field, ReLU", style.ORANGE, "v"),
}
CURVES = {
    "standard, sigmoid": (style.PURPLE, "-"),
    "standard, relu": (style.VERMILLION, "-"),
    "standard, tanh": (style.ORANGE, "-"),
    "he, relu": (style.BLUE, "-"),
    "critical, orthogonal, tanh": (style.BLACK, "--"),
    "orthogonal of gain 1, tanh": (style.SKY, ":"),
    "he, relu, batch norm": (style.GREEN, "-"),
}
CORRELATIONS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
INITIALISATIONS = ("standard", "glorot", "orthogonal", "he")
NONLINEARITIES = {
    "sigmoid": (style.PURPLE, "^"),
    "tanh": (style.ORANGE, "o"),
    "relu": (style.BLUE, "s"),
}


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def _error_bar(estimate) -> np.ndarray:
    """Lengths below and above, as matplotlib takes them."""
    return np.array([[estimate.value - estimate.low], [estimate.high - estimate.value]])


def _draws(counts: pd.Series, of: str) -> str:
    return f"{counts.min()} {of}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()} {of}"


def rates_against_laws(rates: pd.DataFrame) -> Drawing:
    """Measured rates of the squared gradient norm against the laws."""
    kept = _of_the_grid(rates)
    kept = kept[kept["predicted"].notna()]
    with style.context():
        figure, axes = style.subplots(2, 1, height=4.4, sharex=True, height_ratios=[2, 1.2])
        laws = np.linspace(kept["predicted"].min() - 0.1, kept["predicted"].max() + 0.1, 400)
        axes[0].plot(laws, laws, color=style.BLACK, linewidth=0.8, zorder=0)
        axes[1].axhspan(-1, 1, color="#DDDDDD", linewidth=0, label="the law holds")
        axes[1].axhline(0, color=style.BLACK, linewidth=0.8)
        runs = [part for _, part in kept.groupby("run")]
        for part in runs:
            _mark(axes, part)
        handles = {label: handle for handle, label in zip(*axes[0].get_legend_handles_labels(), strict=True)}
        axes[0].legend(handles.values(), handles.keys())
        axes[1].legend(loc="lower left")
        axes[0].set_ylabel("measured rate (nats per link)")
        axes[1].set_ylim(-1.7, 1.7)
        axes[1].set_ylabel("distance (tolerances)")
        axes[1].set_xlabel("law's rate (nats per link, squared norm)")
    return Drawing(
        figure,
        f"Rate of the mean squared gradient norm (annealed average) of n = {len(runs)} designs against their laws, "
        f"{_draws(kept.groupby('run')['network'].count(), 'networks a mark')}, with 95 % intervals over networks. "
        "Below, the distance from the law in tolerances (5 % of the rate, at least 0.01 nats per "
        "link). Left of 0 gradients vanish with depth, right of it they explode.",
        "Scatter plot: all marks on the diagonal, from strongly vanishing on the left to exploding on the right; the "
        "panel below shows differences within a grey band.",
    )


def _mark(axes, part: pd.DataFrame) -> None:
    row = part.iloc[0]
    kind = "batch" if row["normalisation"] == "batch" else row["initialisation"]
    label, color, marker = FAMILIES[kind if kind in FAMILIES else row["activation"]]
    rate = log_mean_estimate(part["log_backward"].tolist(), "", per=row["links"])
    look = {"fmt": marker, "color": color, "markersize": 3.5, "elinewidth": 0.8}
    axes[0].errorbar(row["predicted"], rate.value, yerr=_error_bar(rate), label=label, **look)
    unit = tolerance(row["predicted"])
    gap = (rate.value - row["predicted"]) / unit
    axes[1].errorbar(row["predicted"], gap, yerr=_error_bar(rate) / unit, **look)


def gradient_by_layer(layers: pd.DataFrame) -> Drawing:
    """Size of the gradient on its way from the output to the input."""
    kept = _of_the_grid(layers)
    kept = kept[kept["depth"] >= 30]
    names = kept.apply(_curve_name, axis=1)
    with style.context():
        figure, ax = style.subplots(height=3.2)
        ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        shown = []
        for name, (color, line) in CURVES.items():
            rows = kept[names == name]
            if not len(rows):
                continue
            rows = rows[rows["run"] == rows["run"].iloc[0]].sort_values("state")
            back = rows["depth"] - rows["state"]
            inside = back <= 50
            values = {column: rows[column][inside] / 2 / DECADE for column in ("quenched", "low", "high")}
            ax.plot(
                back[inside],
                values["quenched"],
                line,
                color=color,
                label=name.replace("relu", "ReLU").replace("he,", "He,"),
            )
            ax.fill_between(back[inside], values["low"], values["high"], color=color, alpha=0.2, linewidth=0)
            shown.append(rows["n"].iloc[0])
        ax.set_xlabel("layers back from the output")
        ax.set_ylabel("log₁₀ |∂F/∂h(l)| / |∂F/∂h(L)|")
        ax.legend(loc="lower left", fontsize=6.5)
    return Drawing(
        figure,
        "Norm of the gradient at the pre-activations of every layer, relative to the last one's: mean of logarithms "
        f"over networks with 95 % intervals ({_draws(pd.Series(shown), 'networks a curve')}). No normalisation "
        "unless named. A straight line is an exponential rate. Not all architectures make gradients vanish: at a "
        "critical point they stay, and with batch normalisation they grow.",
        "Lines over fifty layers: sigmoid falls fastest, then ReLU and tanh under the standard initialisation; He's "
        "initialisation and two orthogonal tanh networks stay near 0; batch normalisation rises.",
    )


def _curve_name(row: pd.Series) -> str:
    if row["initialisation"] == "orthogonal":
        return "critical, orthogonal, tanh" if row["critical"] > 0 else "orthogonal of gain 1, tanh"
    norm = ", batch norm" if row["normalisation"] == "batch" else ""
    return f"{row['initialisation']}, {row['activation']}{norm}"


def choice_of_nonlinearity(pairs: pd.DataFrame, bounds: pd.DataFrame) -> Drawing:
    """Rate of the gradient through the same weights with three nonlinearities."""
    kept, limits = _of_the_grid(pairs), _of_the_grid(bounds)
    named = [name for name in INITIALISATIONS if name in set(kept["initialisation"])]
    with style.context():
        figure, ax = style.subplots(height=2.8)
        ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        for place, initialisation in enumerate(named):
            rows = kept[kept["initialisation"] == initialisation]
            limit = limits[limits["initialisation"] == initialisation]
            bound = float((limit["log_bound"] / limit["links"]).mean())
            label = "sigmoid's bound 2 log σ₁/4" if not place else None
            ax.plot([place - 0.3, place + 0.3], [bound, bound], color=style.BLACK, linewidth=1, label=label)
            for shift, (name, (color, marker)) in zip((-0.15, 0, 0.15), NONLINEARITIES.items(), strict=True):
                chosen = rows[rows["reference"] == (rows["reference"].iloc[0] if name == "sigmoid" else name)]
                column = "log_backward_sigmoid" if name == "sigmoid" else "log_backward"
                rate = mean_estimate((chosen[column] / chosen["links"]).tolist(), "")
                label = name.replace("relu", "ReLU") if not place else None
                ax.errorbar(place + shift, rate.value, _error_bar(rate), fmt=marker, color=color, label=label)
        ax.set_xticks(range(len(named)), [name.replace("he", "He").replace("glorot", "Glorot") for name in named])
        ax.set_xlim(-0.5, len(named) - 0.5)
        ax.set_ylabel("rate (nats per link, squared norm)")
        ax.set_xlabel("initialisation")
        ax.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0), ncols=2, columnspacing=1.0)
    counts = limits.groupby("initialisation")["network"].count()
    return Drawing(
        figure,
        "Rate of the squared gradient norm of a typical network, mean over networks with 95 % intervals (smaller than "
        f"most marks; {_draws(counts, 'draws an initialisation')}): the same weights, inputs and directions with three "
        "nonlinearities. The bound, by the largest singular value of the weights, holds for the sigmoid only.",
        "Marks in columns by initialisation: sigmoid far below, near minus 2.3 to minus 4; ReLU and tanh higher, close "
        "to 0 under He's initialisation.",
    )


def typical_and_mean(rates: pd.DataFrame) -> Drawing:
    """What a typical network under He's initialisation loses, and the mean network does not."""
    kept = _of_the_grid(rates)
    kept = kept[(kept["initialisation"] == "he") & (kept["normalisation"] == "none")]
    with style.context():
        figure, ax = style.subplots(height=2.5)
        widths = np.unique(np.geomspace(24, 640, 60).astype(int))
        law = [he2015init.quenched_rate(int(width)) for width in widths]
        ax.axhline(0, color=style.BLACK, linewidth=0.8, label="law of the mean: 0")
        ax.plot(widths, law, color=style.BLUE, label="law of the typical: E log (2/n) χ²")
        for width, rows in kept.groupby("width"):
            first = width == kept["width"].min()
            typical = mean_estimate((rows["log_backward"] / rows["links"]).tolist(), "")
            mean = log_mean_estimate(rows["log_backward"].tolist(), "", per=rows["links"].iloc[0])
            for estimate, color, marker, label in (
                (typical, style.BLUE, "o", "mean of logarithms"),
                (mean, style.VERMILLION, "s", "logarithm of the mean"),
            ):
                label = label if first else None
                ax.errorbar(width, estimate.value, _error_bar(estimate), fmt=marker, color=color, label=label)
        ax.set_xscale("log", base=2)
        ax.set_xticks([32, 64, 128, 256, 512], ["32", "64", "128", "256", "512"])
        ax.set_xlabel("units a layer n")
        ax.set_ylabel("rate (nats per link,\nsquared norm)")
        ax.legend(fontsize=6.5)
    counts = kept.groupby("width")["network"].count().items()
    n = (
        ", ".join(f"{count} at {width}" for width, count in counts) + " units"
        if len(kept)
        else "in the standard profile"
    )
    return Drawing(
        figure,
        f"Rate of the squared gradient norm of ReLU networks under He's initialisation, 95 % intervals over networks "
        f"({n}). The mean over networks is kept at any width, by a few networks with large gradients; the "
        "typical network loses about 5/(2n) nats a layer.",
        "Two series over the width on a logarithmic axis: the logarithm of the mean lies on the zero line, the mean of "
        "logarithms rises towards it from below as the width grows.",
    )


def shattering_by_depth(shattering: pd.DataFrame) -> Drawing:
    """Correlation between the gradients at two inputs, by depth."""
    kept = _of_the_grid(shattering)
    kinds = (
        ("plain", kept[kept["shortcut"].isna()], "2⁻ᴸ", balduzzi2017.plain, balduzzi2017.mean_field_plain),
        (
            "residual, no normalisation",
            kept[kept["shortcut"].notna() & (kept["normalisation"] == "none")],
            "(3/4)ᴸ",
            balduzzi2017.residual,
            balduzzi2017.mean_field_residual,
        ),
        (
            "residual, batch norm, β = 1",
            kept[kept["shortcut"].notna() & (kept["normalisation"] != "none")],
            "theorem, ~ 1/√L",
            lambda depth: balduzzi2017.normalised_residual(depth, 1.0),
            lambda depth: balduzzi2017.normalised_residual(depth, 1.0, growth=balduzzi2017.CENTRED),
        ),
    )
    with style.context():
        figure, axes = style.subplots(1, 3, width=style.FULL, height=2.7)
        for ax, (title, rows, law_name, law, mean_field) in zip(axes, kinds, strict=True):
            depths = sorted(rows["links"].unique())
            line = list(range(min(depths, default=1), max(depths, default=1) + 1))
            ax.plot(line, [law(depth) for depth in line], color=style.BLACK, linewidth=1, label=f"law: {law_name}")
            ax.plot(line, [mean_field(depth) for depth in line], "--", color=style.VERMILLION, label="mean field")
            for _, part in rows.groupby("run"):
                _correlations(ax, part)
            ax.set_xscale("log", base=2)
            ax.set_yscale("log")
            ax.set_xticks(depths, [str(depth) for depth in depths])
            low = ax.get_ylim()[0]
            ticks = [tick for tick in CORRELATIONS if tick > low] if low > 0.01 else [10.0**-k for k in range(6)]
            ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
            ax.set_xlabel("depth L (links)")
            ax.set_title(title)
            ax.legend(fontsize=6, loc="lower left")
        axes[0].set_ylabel("correlation of gradients")
    counts = kept.groupby(["run", "links"])["network"].count()
    return Drawing(
        figure,
        "Correlation, over networks, of the gradients at two independent inputs against depth, with 95 % intervals "
        f"({_draws(counts, 'networks')}). Circles: ReLU networks as they are drawn; triangles: networks that keep the "
        "premise of the theorems, that two inputs are active together at a quarter of the units, in the first panel by "
        "batch normalisation, in the others because slopes are drawn for each input. Mean field (infinite width) "
        "does without the premise.",
        "Three panels of falling curves on logarithmic axes: triangles follow the theorems' lines, circles the dashed "
        "lines of mean field, above the law in the first two panels and below it in the third.",
    )


def _correlations(ax, part: pd.DataFrame) -> None:
    row = part.iloc[0]
    premise = pd.notna(row["gates"]) or (pd.isna(row["shortcut"]) and row["normalisation"] != "none")
    label, color, marker = ("premise kept", style.GREEN, "^") if premise else ("ReLU as drawn", style.BLUE, "o")
    for depth, rows in part.groupby("links"):
        estimate = jackknife_estimate(lambda kept, rows=rows: log_correlation(rows, kept), len(rows), "")
        if np.isnan(estimate.low):
            continue
        value = np.exp(estimate.value)
        ends = [[value - np.exp(estimate.low)], [np.exp(estimate.high) - value]]
        first = depth == part["links"].min()
        ax.errorbar(depth, value, ends, fmt=marker, color=color, markersize=4, label=label if first else None)


def eigenvalues_of_products(eigenvalues: pd.DataFrame, products: pd.DataFrame) -> Drawing:
    """Eigenvalues of products of random matrices in the complex plane."""
    kept, found = _of_the_grid(eigenvalues), _of_the_grid(products)
    kinds = [(name, depth) for name, depth in (("gaussian", 5), ("gaussian", 100), ("orthogonal", 100))]
    with style.context():
        figure, axes = style.subplots(1, 3, width=style.FULL, height=2.7, sharey=True)
        for ax, (name, depth) in zip(axes, kinds, strict=True):
            rows = kept[(kept["initialisation"] == name) & (kept["depth"] == depth)]
            of = found[(found["initialisation"] == name) & (found["depth"] == depth)]
            ax.scatter(rows["real"], rows["imaginary"], 4, style.BLUE, linewidths=0, alpha=0.6, rasterized=True)
            ax.plot([-0.05, 0.05, 0.05, -0.05, -0.05], [-0.05, -0.05, 0.05, 0.05, -0.05], color=style.VERMILLION)
            ax.set_aspect("equal")
            ax.set_xlim(-1.3, 1.3)
            ax.set_ylim(-1.55, 1.3)
            ax.set_xlabel("Re λ")
            ax.set_title(f"{name.capitalize()}, {depth} factors")
            if len(of):
                law = of["predicted_share"].iloc[0]
                words = f"in the bin: {of['origin_share'].mean():.1%}" + ("" if np.isnan(law) else f" (law {law:.1%})")
                largest = np.exp(of["log_largest"].mean())
                ax.text(0, -1.5, f"{words}\nlargest singular value {largest:.1f}", ha="center", fontsize=6.5)
        axes[0].set_ylabel("Im λ")
    outside = int((kept["real"].abs() > 1.3).sum())
    counts = found.groupby("run")["network"].count()
    return Drawing(
        figure,
        "Eigenvalues of one product of 5 or 100 independent random matrices each; shares and singular values are means "
        f"over {_draws(counts, 'products')}. The square is the bin of 0.1 × 0.1 at the origin. Gaussian products keep "
        "the norm of a typical vector and lose almost all directions; orthogonal ones lose none."
        + (f" {outside} eigenvalues lie outside the panels." if outside else ""),
        "Three scatter plots in the complex plane: a disc dense at the centre, a disc nearly all of whose points are "
        "in the small square at the origin, and a circle of radius one.",
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
TRAININGS = {
    ("training", "plain"): ("o", style.BLACK, "plain, short training"),
    ("degradation", "plain"): ("D", "none", "plain, until the loss is level"),
    ("degradation", "residual"): ("s", "none", "residual, until the loss is level"),
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


def _whole(ax) -> None:
    """Ticks at whole numbers only."""
    ax.xaxis.get_major_locator().set_params(integer=True)


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
            axes[0][-1].plot([], [], PADDINGS[padding], color=style.GREY, label=f"{padding.removesuffix('s')} padding")
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
        figure, ax = style.subplots(width=style.FULL, height=2.8)
        ax.axhspan(-0.01, 0.01, color="#DDDDDD", label="neither vanishes nor explodes")
        for key, (marker, face, label) in TRAININGS.items():
            rows = kept[(kept["experiment"] == key[0]) & (kept["family"] == key[1])]
            for place, (moment, color) in enumerate(MOMENTS.items()):
                part = rows[rows["moment"] == moment]
                at = np.array([depths.index(depth) for depth in part["depth"]]) + 0.2 * (place - 1.5)
                # Blocks of residual networks have two layers.
                rates, filled = part["rate"] / part["block_layers"], color if face == style.BLACK else face
                ax.plot(at, rates, marker, color=color, markerfacecolor=filled, markersize=3.5)
            if len(rows):
                ax.plot([], [], marker, color=style.BLACK, markerfacecolor=face, markersize=3.5, label=label)
        for moment, color in MOMENTS.items():
            ax.plot([], [], "-", color=color, label=moment.replace("after all", "after all updates"))
        ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
        ax.set_xlim(-0.6, len(depths) - 0.4)
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
            _whole(ax)
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
        counts = kept.drop_duplicates("length").sort_values("length")
        axes[1].plot(
            counts["length"], _shares(counts["log_count"]), ":", color=style.BLACK, label="paths of that length"
        )
        axes[0].set_ylabel("log₁₀ |g| of a path, relative\nto the one through no branch")
        axes[1].set_ylabel("share of all paths' |g|")
        axes[0].legend(fontsize=6)
        axes[1].legend(fontsize=6)
        for ax in axes:
            ax.set_xlabel("branches on the path")
            _whole(ax)
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
        axes[0].set_xticks(sorted(errors["depth"].unique()))
        _whole(axes[1])
        for ax in axes:
            ax.set_ylim(0, 100)
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
    trained = (kept["experiment"] == "training") & (kept["layer"] == "convolution")
    return chosen if len(chosen) else kept[trained]


def tracked_training(tracked_layers: pd.DataFrame, tracked_states: pd.DataFrame) -> Drawing:
    """What a tracker sees of two trainings: gradient norms by layer, and through time over the training steps."""
    both = (tracked_layers, tracked_states)
    layers, states = (table.assign(log10_value=table["log_value"] / DECADE) for table in both)
    with style.context():
        figure, (left, right) = style.subplots(1, 2, width=style.FULL, height=2.9)
        tracked.plot(layers, "flow", left)
        tracked.plot(states, "time", right)
        left.set_ylabel("layer")
    medians = layers.groupby("name", sort=False)["log10_value"].median()
    first, last = states["step"].min(), states["step"].max()
    before, after = (_reach(states[states["step"] == step]) for step in (first, last))
    return Drawing(
        figure,
        "Two trainings as gs.track saw them, one network each. Left: norm of the gradient of each layer's weights in a "
        f"plain network of {len(medians)} layers of sigmoid units, over {layers['step'].nunique()} steps; the first "
        f"layer's is 10^{medians.iloc[0] - medians.iloc[-1]:.1f} of the last's (medians). Right: norm of dL/dh at "
        "every timestep of a recurrent network that learns to say at the end what came first; the first state's "
        f"gradient is 10^{before:.1f} of the last's before training and 10^{after:.1f} after {last} steps. The seed is "
        "one with which it learns; of three that were tried, one did not within 1,000 steps.",
        "Left, a line that falls by decades from the last layer to the first; right, a map that is dark at the early "
        "timesteps until the network has learnt, and bright from then on.",
    )


def _reach(step: pd.DataFrame) -> float:
    """log10 of the first timestep's gradient norm over the last's."""
    ordered = step.sort_values("index")["log10_value"]
    return float(ordered.iloc[0] - ordered.iloc[-1])
