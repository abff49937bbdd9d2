"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

ACTIVATIONS = {"tanh": ("o", style.BLUE), "relu": ("s", style.VERMILLION), "sigmoid": ("^", style.GREEN)}
SEARCHES = ("random-search", "adversarial-search")


def _of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["control"].isna() | (table["control"] == "")]


def _nonlinear(networks: pd.DataFrame) -> pd.DataFrame:
    kept = _of_the_grid(networks)
    return kept[kept["activation"].isin(list(ACTIVATIONS))]


def growth_against_bound(networks: pd.DataFrame) -> Drawing:
    """Measured growth of the Jacobian product against the bound."""
    kept = _nonlinear(networks)
    with style.context():
        figure, ax = style.subplots(height=3.0)
        low, high = kept["log_bound"].min() - 0.3, kept["log_bound"].max() + 0.3
        ax.plot([low, high], [low, high], color=style.BLACK, linewidth=1, label="bound: growth = log γσ₁")
        ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        ax.axvline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        for name, (marker, color) in ACTIVATIONS.items():
            rows = kept[kept["activation"] == name]
            if not len(rows):
                continue
            ax.scatter(
                rows["log_bound"],
                rows["growth"],
                s=9,
                c=color,
                marker=marker,
                linewidths=0,
                alpha=0.6,
                label=name,
                rasterized=True,
            )
        trained = kept[kept["updates"] > 0]
        if len(trained):
            ax.scatter(
                trained["log_bound"], trained["growth"], 30, "none", marker="D", edgecolors=style.BLACK, linewidths=0.8,
                label="trained on Nottingham",
            )  # fmt: skip
        ax.set_xlabel("bound log γσ₁ (nats per link)")
        ax.set_ylabel("measured growth rate (nats per link)")
        ax.legend(loc="lower right")
    above = int((kept["growth"] - kept["log_bound"] > 1e-9).sum())
    growing = int(((kept["log_bound"] > 0) & (kept["growth"] > 0.01)).sum())
    shrinking = int(((kept["log_bound"] > 0) & (kept["growth"] < -0.01)).sum())
    return Drawing(
        figure,
        f"Growth rate of the Jacobian product of n = {len(kept)} networks against the bound of Pascanu et al. Each "
        f"mark is one independently drawn network (mean over its input sequences). {above} lie above the bound. To the "
        f"right of 0 the bound allows explosion but does not demand it: of those networks {growing} explode (above "
        f"0.01 nats per link) and {shrinking} still vanish.",
        "Scatter plot: all points lie on or below the diagonal that marks the bound; most networks whose bound is "
        "above zero have growth rates below zero.",
    )


def float32_hides_the_gradient(underflow: pd.DataFrame) -> Drawing:
    """What float32 autograd shows of |dE_T/dh_t|, and what is there."""
    shown = np.isfinite(underflow["log10_float32"])
    only_norm = underflow["zero_norm"] & ~underflow["zero_gradient"]
    floor = underflow["log10_norm"].min()
    with style.context():
        figure, ax = style.subplots(height=2.8)
        ax.plot(underflow["t"], underflow["log10_norm"], color=style.BLUE, label="truth (log domain)")
        ax.plot(
            underflow["t"][shown], underflow["log10_float32"][shown], "--", color=style.VERMILLION, linewidth=2,
            label="float32 autograd",
        )  # fmt: skip
        for rows, color, marker, label, level in (
            (underflow[only_norm], style.ORANGE, "|", "float32: norm reads 0", 0.06),
            (underflow[underflow["zero_gradient"]], style.PURPLE, "|", "float32: gradient is 0", 0.0),
        ):
            ax.plot(rows["t"], np.full(len(rows), floor * (1 - level)), marker, color=color, markersize=5, label=label)
        ax.set_xlabel("state t (the error is at the last)")
        ax.set_ylabel("log₁₀ |∂E/∂h(t)|")
        ax.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0), ncols=2, columnspacing=1.0)
    zero_gradient, zero_norm = int(underflow["zero_gradient"].sum()), int(underflow["zero_norm"].sum())
    first = underflow["log10_norm"].iloc[0]
    return Drawing(
        figure,
        f"One error at the last step of one network (tanh, orthogonal weights of gain 0.5, {len(underflow) - 1} "
        f"links): the norm of its gradient at every state. In float32 the gradient autograd returns is exactly 0 at "
        f"{zero_gradient} of {len(underflow)} states, and its norm reads 0 at {zero_norm}, because squares underflow "
        f"first. The truth at t = 0 is 10^{first:.1f}. n = 1 network; deterministic.",
        "Line falling linearly from right to left over more than a hundred decades; the float32 line stops after about "
        "twenty-two decades, where marks at the bottom begin that say it reads zero.",
    )


def plane_of_conditions(networks: pd.DataFrame) -> Drawing:
    """The plane of the two conditions, coloured by the growth measured."""
    kept = _nonlinear(networks)
    kept = kept[np.isfinite(kept["growth"]) & ~kept["group"].isin(SEARCHES)]
    x = np.maximum(kept["gamma"] * kept["rho"], 1e-2)
    y = kept["gamma"] * kept["sigma_1"]
    limit = 0.6
    with style.context():
        figure, ax = style.subplots(height=3.1)
        norm = TwoSlopeNorm(0.0, -limit, limit)
        points = ax.scatter(
            x, y, 16, kept["growth"], cmap="PuOr_r", norm=norm, edgecolors="#444444", linewidths=0.3, rasterized=True
        )
        ax.axvline(1, color=style.GREY, linewidth=0.6, linestyle=":")
        ax.axhline(1, color=style.GREY, linewidth=0.6, linestyle=":")
        ends = np.array([0.01, 30.0])
        ax.plot(ends, ends, color=style.BLACK, linewidth=0.8, label="ρ = σ₁ (normal W)")
        for group, marker, label in (
            ("typical-witness", "*", "typical witness, ρ = 0"),
            ("textbook-witness", "P", "textbook witness"),
        ):
            rows = kept["group"] == group
            if rows.any():
                ax.scatter(
                    x[rows], y[rows], 90, kept["growth"][rows], marker=marker, cmap="PuOr_r", norm=norm,
                    edgecolors=style.BLACK, linewidths=0.9, label=label,
                )  # fmt: skip
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(0.007, 6)
        ax.set_xlabel("γ ρ(W), spectral radius")
        ax.set_ylabel("γ σ₁(W), largest singular value")
        ax.legend(loc="lower right", fontsize=6.5, markerscale=0.7, handletextpad=0.3)
        figure.colorbar(points, ax=ax, label="growth rate (nats per link)", extend="both")
    wrong = kept[(kept["gamma"] * kept["rho"] < 1) & (kept["growth"] > 0.01)]
    safe = kept[(y < 1) & (kept["growth"] > 0)]
    return Drawing(
        figure,
        f"The two conditions of n = {len(kept)} networks, coloured by the growth rate of their Jacobian product "
        f"(orange grows, violet shrinks; colours end at {limit:.1f}; ρ below 0.01 drawn at 0.01). If the eigenvalue "
        f"decided, nothing left of the vertical line would grow; of those there {len(wrong)} grow. Below the "
        f"horizontal line, where the singular value decides, {len(safe)} grow.",
        "Scatter plot on logarithmic axes; growing networks marked by stars stand at small spectral radius and large "
        "singular value, where the eigenvalue condition would have them vanish.",
    )


def components_by_lag(lags: pd.DataFrame, networks: pd.DataFrame) -> Drawing:
    """How far back one error reaches."""
    kept = _of_the_grid(lags)
    shown = kept["group"].isin(["gaussian", "initialisations", "basic-tanh", "smart-tanh", "nottingham"])
    chosen = kept[shown & (kept["activation"] == "tanh") & (kept["length"] >= 100)]
    chosen = chosen if len(chosen) else kept[kept["activation"] == "tanh"]
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=2.8, sharey=False)
        _generated(axes[0], chosen[chosen["inputs"] == "gaussian"])
        _music(axes[1], chosen[chosen["inputs"] == "nottingham"])
        for ax in axes:
            ax.set_xlabel("lag l (links)")
        axes[0].set_ylabel("log₁₀ |∂E/∂h(T−l)| / |∂E/∂h(T)|")
    return Drawing(
        figure,
        f"Decay of one error's gradient with the lag, tanh networks: mean of logarithms over networks, with 95 % "
        f"intervals (n = {int(chosen['n'].min())} to {int(chosen['n'].max())} networks a curve). Left: generated "
        f"inputs, by initialisation. Right: Nottingham piano rolls, E being the negative log-likelihood of the next "
        f"chord{_losses(networks)}.",
        "Two panels of falling lines on a logarithmic scale; decay differs strongly by initialisation, and training "
        "changes it.",
    )


def _losses(networks: pd.DataFrame) -> str:
    """What the networks on music had learnt, in words."""
    music = _of_the_grid(networks)
    music = music[music["inputs"] == "nottingham"]
    words = [
        (f"after {updates} updates" if updates else "at initialisation")
        + f" {rows['loss'].mean():.1f} nats a chord, ρ(W) = {rows['rho'].mean():.2f} and a growth rate of "
        f"{rows['growth'].mean():.2f} nats per link"
        for updates, rows in music.groupby("updates", sort=True)
    ]
    return f" (means over {len(music) // len(words)} networks on test windows: {'; '.join(words)})" if words else ""


def _curve(ax, rows: pd.DataFrame, label: str, color: str, line: str = "-") -> None:
    decades = np.log(10)
    rows = rows.sort_values("lag")
    ax.plot(rows["lag"], rows["log_component"] / decades, line, color=color, label=label)
    ax.fill_between(rows["lag"], rows["low"] / decades, rows["high"] / decades, color=color, alpha=0.2, linewidth=0)


def _generated(ax, rows: pd.DataFrame) -> None:
    curves = list(rows.groupby(["initialisation", "scale", "length"], sort=True))
    for color, ((name, scale, _), part) in zip(style.PALETTE, curves, strict=False):
        gain = f", gain {scale:g}" if scale != 1 or name == "gaussian" else ""
        _curve(ax, part, f"{name}{gain}", color)
    ax.legend(fontsize=6)
    ax.set_title("generated inputs")


def _music(ax, rows: pd.DataFrame) -> None:
    for color, (name, part) in zip(style.PALETTE, rows.groupby("initialisation", sort=True), strict=False):
        for line, (updates, curve) in zip(("--", "-"), part.groupby("updates", sort=True), strict=False):
            _curve(ax, curve, f"{name}, {'trained' if updates else 'at init'}", color, line)
    if len(rows):
        ax.legend(fontsize=6)
    else:
        ax.text(0.5, 0.5, "real music: standard profile", transform=ax.transAxes, ha="center")
        ax.set_xticks([])
        ax.set_yticks([])
    ax.set_title("Nottingham")
