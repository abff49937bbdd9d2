"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator

from gradstudy.claims.pascanu2013attractors import CHAOTIC
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing
from gradstudy.theory import one_unit

DECADE = np.log(10)
ARMS = {"plain": "plain gradient descent", "clipped": "gradient clipped to norm 1"}
STARTS = (style.VERMILLION, style.SKY)
SIDES = {"valley": ("valley", style.BLUE), "plateau": ("plateau", style.VERMILLION)}
RATES = ("o", "s", "^", "D")
KINDS = {
    "fixed point": (style.BLUE, "o"),
    "longer period": (style.GREEN, "s"),
    "no period, twins together": (style.ORANGE, "^"),
    "chaotic": (style.VERMILLION, "D"),
}
FOLDS = {
    "vanishing": ("bifurcation, through the ghost", style.BLUE),
    "surviving": ("bifurcation, other attractor", style.GREEN),
}
LEAST = 1e-12
LOSSES = (0.02, 0.05, 0.1, 0.2, 0.5)


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def descents_at_the_wall(surface: pd.DataFrame, along: pd.DataFrame, paths: pd.DataFrame) -> Drawing:
    """Descents on the error surface, with and without clipping."""
    table = surface.pivot(index="b", columns="w", values="log10_error")
    wall = along[along["place"] == "high"]
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=3.1, sharey=True)
        for ax, (arm, title) in zip(axes, ARMS.items(), strict=True):
            mesh = ax.pcolormesh(
                table.columns, table.index, table, vmin=-5, vmax=-0.3, rasterized=True, shading="nearest"
            )
            ax.plot(wall["w"], wall["b"], "--", color="white", linewidth=1, label="wall")
            for color, (_, rows) in zip(STARTS, paths[paths["arm"] == arm].groupby("start"), strict=False):
                ax.plot(rows["w"], rows["b"], "-", color=color, linewidth=0.6, rasterized=True)
                ax.plot(rows["w"].iloc[0], rows["b"].iloc[0], "o", color=color, markeredgecolor="white", markersize=6)
                ax.plot(rows["w"].iloc[-1], rows["b"].iloc[-1], "X", color=color, markeredgecolor="white", markersize=7)
            ax.set_xlim(table.columns.min(), table.columns.max())
            ax.set_ylim(table.index.min(), table.index.max())
            ax.set_xlabel("weight w")
            ax.set_title(title)
        axes[0].set_ylabel("bias b")
        figure.colorbar(mesh, ax=axes, label="log₁₀ error after 50 steps", extend="both")
    ends = paths.sort_values("update").groupby(["arm", "start"]).last()
    said = "; ".join(
        f"{arm} "
        + " and ".join(f"{row['error']:.1g} at ({row['w']:.3g}, {row['b']:.3g})" for _, row in part.iterrows())
        for arm, part in ends.groupby(level="arm")
    )
    plain = ends.loc["plain"]
    lost = ~(
        plain["w"].between(*surface["w"].agg(["min", "max"])) & plain["b"].between(*surface["b"].agg(["min", "max"]))
    )
    longest = paths[paths["arm"] == "plain"].groupby("start")["gradient_norm"].max()
    met = " and ".join(f"{value:,.0f}" for value in longest)
    return Drawing(
        figure,
        f"Descents of {int(paths['update'].max())} updates from n = {len(plain)} starts (circles: starts, crosses: "
        f"ends; learning rate {paths['learning_rate'].iloc[0]:g}) on the error surface of one sigmoid unit that runs "
        "for 50 steps. The dashed line is the wall, where the start 0.5 crosses the boundary between two basins; "
        f"below it the error is high. The plain ones meet gradients of norm {met}; {lost.sum()} of them are thrown "
        f"off the map (the straight lines). Error at the end, at (w, b): {said}. An illustration.",
        "Two maps of the error over weight and bias with a sharp edge along a falling line; on the left, paths that "
        "zigzag along the edge and leave the map by long straight lines; on the right, paths that follow the edge "
        "upwards to the left, to where the error is small.",
    )


def gradient_and_curvature_at_the_wall(along: pd.DataFrame, across: pd.DataFrame, grids: pd.DataFrame) -> Drawing:
    """Gradient and curvature along the wall and across it."""
    curves = (("log_gradient", "|g|", style.BLUE), ("log_curvature", "|vᵀHv|", style.VERMILLION))
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.7)
        for column, name, color in curves:
            for place, line, where in (("high", "-", "on the wall"), ("above", "--", "0.1 above")):
                rows = along[along["place"] == place]
                axes[0].plot(rows["w"], rows[column] / DECADE, line, color=color, label=f"{name} {where}")
            for sign, line, where in ((1, "-", "above"), (-1, ":", "below")):
                rows = across[np.sign(across["offset"]) == sign]
                axes[1].plot(
                    np.log10(rows["offset"].abs()), rows[column] / DECADE, line, color=color, label=f"{name} {where}"
                )
        axes[0].set_xlabel("weight w")
        axes[0].set_ylabel("log₁₀ of gradient and curvature")
        axes[0].legend()
        axes[1].set_xlabel("log₁₀ distance from the wall, in b")
        axes[1].legend(loc="lower left")
    top = across.loc[across["log_gradient"].idxmax()]
    wall = along[along["place"] == "high"].iloc[-1]
    met = ", ".join(f"{row['largest']:.0f} with {row['points']:.0f} points a side" for _, row in grids.iterrows())
    gradient, curvature, peak = (
        f"10^{value / DECADE:.1f}" for value in (wall["log_gradient"], wall["log_curvature"], top["log_gradient"])
    )
    return Drawing(
        figure,
        "Norm of the gradient g of the error after 50 steps, and curvature vᵀHv along it (v = g / |g|). Left: along "
        f"the wall, and at the same weights 0.1 above it in b; at w = {wall['w']:g} the gradient is {gradient} and "
        f"the curvature {curvature}. Right: on a line across it at w = {across['w'].iloc[0]:g}. The gradient is "
        f"largest, {peak}, {abs(top['offset']):.1g} beside it; there the curvature passes through 0 (the notch), as "
        "it must at a maximum, and explodes with opposite signs on either side of that place; the notch of the "
        "gradient, above the wall, is where the error is 0. A grid misses all this: the largest gradient on one over "
        f"w in 0 to 7 and b in −4 to 1 is {met}. Deterministic.",
        "Two panels of curves; along the wall the curvature rises twice as steeply as the gradient while both stay "
        "flat off it; across it both are constant near the wall and fall off at a distance of about a hundred "
        "thousandth.",
    )


def bifurcations_and_boundaries(sweep: pd.DataFrame, equilibria: pd.DataFrame) -> Drawing:
    """Crossing a basin boundary against crossing a bifurcation, as the bias is swept."""
    weight, steps = sweep["weight"].iloc[0], int(sweep["steps"].iloc[0])
    with style.context():
        figure, axes = style.subplots(2, 1, height=4.6, sharex=True)
        for branch, part in equilibria.groupby("branch"):
            line = ":" if branch == "saddle" else "-"
            label = {"saddle": "saddle", "lower": "attractors"}.get(branch)
            axes[0].plot(part["b"], part["state"], line, color=style.GREY, linewidth=3, alpha=0.5, label=label)
        for color, (start, part) in zip(style.PALETTE, sweep.groupby("start"), strict=False):
            axes[0].plot(part["b"], part["state"], color=color, label=f"x(0) = {start:g}")
            axes[1].plot(part["b"], part["log_derivative"] / DECADE, color=color)
            crossing = part.iloc[0]
            axes[1].plot(crossing["crossing"], crossing["log_at_crossing"] / DECADE, "*", color=color, markersize=9)
        for ax in axes:
            for fold in one_unit.folds(weight):
                ax.axvline(fold.bias, color=style.BLACK, linewidth=0.7, linestyle="--")
        axes[0].set_ylabel(f"state x({steps})")
        axes[0].legend(loc="upper left", fontsize=6.5)
        axes[1].set_ylabel(f"log₁₀ ∂x({steps})/∂b")
        axes[1].set_xlabel("bias b")
    stars = sweep.dropna(subset="crossing").groupby("start")["log_at_crossing"].first() / DECADE
    peaks = sweep.groupby("start")["log_derivative"].max() / DECADE
    said = " and ".join(f"10^{value:.1f} (x(0) = {start:g})" for start, value in stars.items())
    grid = " and ".join(f"10^{peaks[start]:.1f}" for start in stars.index)
    return Drawing(
        figure,
        f"One sigmoid unit with w = {weight:g} after {steps} steps from four starts, as the bias is swept over "
        f"{sweep['b'].nunique()} values. Dashed lines: the two bifurcations. The outermost starts cross one of them "
        "without any notice, and at the other the attractor they were at vanishes: a hump. The starts between them "
        "jump where they cross the boundary between the basins (the saddle), where nothing bifurcates; there the "
        f"derivative is {said} (stars), of which the sweep shows {grid}. Deterministic.",
        "Upper panel: states against bias, an S-shaped curve of fixed points and four staircase curves that jump at "
        "different biases between the two dashed lines or just beyond them. Lower panel: their derivatives, with "
        "sharp peaks at the jumps.",
    )


def growth_with_length(crossings: pd.DataFrame, folds: pd.DataFrame) -> Drawing:
    """How the gradient grows with the number of steps: basin boundary against bifurcation."""
    crossings, folds = _of_the_grid(crossings), _of_the_grid(folds)
    curves = [
        (f"basin boundary, w = {weight:g}", color, rows.assign(value=rows["log_derivative_low"]))
        for color, (weight, rows) in zip(
            (style.ORANGE, style.VERMILLION, style.PURPLE), crossings.groupby("weight"), strict=False
        )
    ]
    sides = folds.groupby("fold_side")
    curves += [(*FOLDS[side], rows.assign(value=rows["log_peak"])) for side, rows in sides]
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.8)
        for ax, shown in zip(axes, (curves, curves[-len(sides) :]), strict=True):
            for name, color, rows in shown:
                found = rows.groupby("steps")["value"].agg(["min", "median", "max"]) / DECADE
                ax.plot(found.index, found["median"], "o-", color=color, label=name)
                ax.fill_between(found.index, found["min"], found["max"], color=color, alpha=0.2, linewidth=0)
            ax.set_xlabel("number of steps T")
        axes[0].set_ylabel("log₁₀ largest ∂x(T)/∂b")
        axes[0].set_title("linear in T: an exponential is a straight line", fontsize=7)
        axes[0].legend(fontsize=6.5)
        axes[1].set_xscale("log")
        axes[1].minorticks_off()
        axes[1].set_xticks(sorted(folds["steps"].unique()))
        axes[1].xaxis.set_major_formatter("{x:g}")
        axes[1].set_title("logarithmic in T: a power is a straight line", fontsize=7)
    units = crossings.groupby("weight")["unit"].nunique().min()
    places = folds.groupby(["fold_side", "fold"])["start"].nunique().min()
    return Drawing(
        figure,
        "Growth of the derivative of the last state with respect to the bias. At the boundary between two basins it "
        f"grows exponentially (n = {units} starts a weight; line: median, band: least to largest, as the rate depends "
        "on where the saddle is). Where a bifurcation is crossed and the start was drawn to the attractor that "
        "vanishes, the largest value near it grows as a power, T³; where the start was drawn to the other one it does "
        f"not grow at all (n = {places} starts at each of two bifurcations; bands narrower than the lines). Crossings "
        "are found by bisection in up to some 500 bits; deterministic.",
        "Left: three straight lines that rise by tens of powers of ten, above two curves that "
        "stay near zero. Right: the two on another scale, one a rising straight line, one flat.",
    )


def rates_at_attractors(attractors: pd.DataFrame) -> Drawing:
    """Rate of the gradient at fixed points, cycles and chaotic attractors."""
    kept = _of_the_grid(attractors)
    kinds = kept.apply(_kind, axis=1)
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.8)
        low = kept["log_radius"].min() * 1.05
        axes[0].plot([low, 0], [low, 0], color=style.BLACK, linewidth=0.8, label="rate = log ρ / p")
        for place, (kind, (color, marker)) in enumerate(KINDS.items()):
            rows = kept[kinds == kind]
            shifts = np.linspace(-0.25, 0.25, max(len(rows), 2))[: len(rows)]
            axes[1].plot(rows["rate"], place + shifts, marker, color=color, markersize=3)
            if rows["log_radius"].notna().any():
                axes[0].plot(rows["log_radius"], rows["rate"], marker, color=color, markersize=3, label=kind)
        axes[0].set_xlabel("log ρ / p of the period map (nats per link)")
        axes[0].set_ylabel("rate of the gradient (nats per link)")
        axes[0].legend()
        axes[1].axvline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        axes[1].set_yticks(range(len(KINDS)), [f"{kind}\nn = {int((kinds == kind).sum())}" for kind in KINDS])
        axes[1].set_xlim(-1.5, 0.4)
        axes[1].set_xlabel("rate of the gradient (nats per link)")
    chaotic, together = (kept["rate"][kinds == kind] for kind in ("chaotic", "no period, twins together"))
    outside = int((kept["rate"] < axes[1].get_xlim()[0]).sum())
    return Drawing(
        figure,
        f"Autonomous tanh networks, n = {len(kept)} independent draws; one mark a network. Left: of those that "
        "converged to a fixed point or a cycle, the rate of the gradient against log ρ / p, the period map's spectral "
        "radius ρ over its period p. Right: rates by what a network converged to. Networks without a period whose "
        "twins, set out 1e-9 beside them, stay together (quasi-periodic motion) have rates of "
        f"{together.abs().max():.1g} at most in size: there the gradient neither vanishes nor explodes. In chaotic "
        f"ones it grows by {chaotic.min():.2f} to {chaotic.max():.2f} nats per link. {outside} networks lie left of "
        "the right panel.",
        "Left: marks on the diagonal. Right: four rows of marks; fixed points and cycles lie left of zero, "
        "quasi-periodic networks on zero, chaotic ones right of it.",
    )


def _kind(row: pd.Series) -> str:
    if row["period"] == 1:
        return "fixed point"
    if row["period"] > 1:
        return "longer period"
    return "chaotic" if row["separation"] > CHAOTIC else "no period, twins together"


def rate_against_distance(distances: pd.DataFrame) -> Drawing:
    """Rate of the gradient against the distance of the start from the basin boundary."""
    kept = _of_the_grid(distances)
    table = kept.pivot(index="decade", columns="unit", values="rate")
    predicted = kept.groupby("unit")["predicted"].first()
    with style.context():
        figure, ax = style.subplots(height=2.9)
        ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        ax.plot(table.index, table, "-", color=style.SKY, linewidth=0.7)
        ax.plot(table.index, table.mean(axis=1), "o-", color=style.BLUE, label="mean over units")
        law = table.iloc[0].mean() + predicted.mean() * (table.index - table.index[0])
        ax.plot(table.index, law, "--", color=style.VERMILLION, linewidth=2, label="slope of linear theory")
        ax.set_xlabel("nearness: −log₁₀ distance from the boundary")
        ax.set_ylabel("rate of ∂x(T)/∂x(0) (nats per link)")
        ax.legend()
    steps, nearest = int(kept["horizon"].iloc[0]), int(table.index[-1])
    kept_alive = int((table.iloc[-1] > -0.01).sum())
    return Drawing(
        figure,
        f"Rate of the gradient over T = {steps} steps of n = {table.shape[1]} drawn units (thin lines) that have two "
        "attractors, for starts ever nearer to the boundary between their basins. Every factor of ten gains "
        f"{predicted.min():.3f} to {predicted.max():.3f} nats per link by linear theory. At a distance of 0.1 the "
        f"gradient of {int((table.iloc[0] > -0.01).sum())} units does not vanish, at 10^−{nearest} that of "
        f"{kept_alive}: to keep a gradient alive over T steps a start has to be exponentially near.",
        "Thin lines that rise to the right, nearly straight and parallel, from well below zero; their mean lies on "
        "the dashed line of theory.",
    )


def with_and_without_clipping(descents: pd.DataFrame) -> Drawing:
    """Where plain and clipped descents land and end."""
    kept = _of_the_grid(descents)
    rates = sorted(kept["learning_rate"].unique())
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=3.1)
        for (side, rate), rows in kept.groupby(["side", "learning_rate"]):
            name, color = SIDES[side]
            look = {"color": color, "marker": RATES[rates.index(rate)], "s": 9, "linewidths": 0, "alpha": 0.6}
            label = f"{name}, rate {rate:g}"
            axes[0].scatter(rows["start_error"], rows["error_after"], label=label, rasterized=True, **look)
            ends = (np.maximum(rows[f"{arm}_end"], LEAST) for arm in ("clipped", "plain"))
            axes[1].scatter(*ends, rasterized=True, **look)
        for ax, line in zip(axes, ([0.015, 0.5], [LEAST, 0.5]), strict=True):
            ax.plot(line, line, color=style.BLACK, linewidth=0.8)
            ax.set_xscale("log")
            ax.set_yscale("log")
        for axis in (axes[0].xaxis, axes[0].yaxis):
            axis.set_major_locator(FixedLocator(LOSSES))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
        axes[0].set_xlabel("loss at the start")
        axes[0].set_ylabel("loss after the first too long step")
        axes[0].legend(fontsize=6.5, title="descents from", title_fontsize=6.5)
        axes[1].set_xlabel("loss at the end, clipped")
        axes[1].set_ylabel("loss at the end, plain")
    return Drawing(
        figure,
        _landing_in_words(kept),
        "Left: horizontal bands at two losses, far above the diagonal for starts of small loss. Right: most marks lie "
        "far above the diagonal, in horizontal bands at the same two losses.",
    )


def _landing_in_words(kept: pd.DataFrame) -> str:
    thrown = kept[kept["thrown"]]
    count = kept.groupby(["side", "learning_rate"])["start"].count().min()
    above = (thrown["error_after"] > thrown["start_error"]).groupby(thrown["side"]).mean()
    higher = (thrown["error_after"] > thrown["error_before"]).mean()
    flat = (thrown["gradient_after"] < 1e-3).mean()
    worse = (kept["plain_end"] > kept["clipped_end"]).mean()
    landed = " and ".join(f"{share:.0%} of those from the {side}" for side, share in above.items())
    return (
        f"Descents from n = {len(kept)} starts (a mark each; {count} a side and learning rate, "
        f"{int(kept['updates'].iloc[0]):,} updates). Left: loss right after the first plain step of length 1 or more, "
        f"of the {len(thrown)} that took one; {landed} land above their start. Of all of them {flat:.0%} land where "
        f"the gradient is below 0.001. Compared with the loss right before the step {higher:.0%} land higher: too long "
        "a step is taken on the wall itself, anywhere between its foot and its top. Right: loss at the end (mean of "
        f"the last 100 points; below {LEAST:g} drawn there); the plain descent ends above the clipped one for "
        f"{worse:.0%} of the starts."
    )
