"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

NAMES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "textbook-gru": "textbook GRU"}
TASKS = {"adding": "adding problem", "nottingham": "Nottingham"}
COLORS = {
    "default": style.BLUE,
    "orthogonal": style.VERMILLION,
    "forget-bias-1": style.GREEN,
    "update-bias-1": style.GREEN,
}
SHORT = {"forget-bias-1": "forget bias 1", "update-bias-1": "update bias 1"}
STAGES = {"before": "--", "after": "-"}
DECADE = np.log(10)


def _trained(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the grid's networks that were measured before and after training."""
    grid = table["control"].isna() | (table["control"] == "")
    return table[grid & (table["updates"] > 0)]


def _one_task(table: pd.DataFrame) -> pd.DataFrame:
    """The real music where it was run, else the adding problem."""
    music = table[table["task"] == "nottingham"]
    return music if len(music) else table


def _task_name(table: pd.DataFrame) -> str:
    return TASKS[table["task"].iloc[0]]


def _label(architecture: str, initialisation: str) -> str:
    return f"{NAMES[architecture]}, {SHORT.get(initialisation, initialisation)}"


def _architectures(table: pd.DataFrame) -> list:
    """Columns of panels; the textbook GRU, drawn by default only, is near torch's and stands in the other figures."""
    return [name for name in _present(table, "architecture", NAMES) if name != "textbook-gru"]


def _present(table: pd.DataFrame, column: str, order: dict) -> list:
    return [value for value in order if (table[column] == value).any()]


def _stage_legend(ax, **options) -> None:
    for stage, line in STAGES.items():
        ax.plot([], [], line, color=style.GREY, label=f"{stage} training")
    ax.legend(fontsize=6, **options)


def _curves(ax, rows: pd.DataFrame, x: str, y: str, unit: float = 1.0) -> None:
    """One curve an initialisation and stage, with its interval as a band."""
    for name in _present(rows, "initialisation", COLORS):
        for stage, line in STAGES.items():
            part = rows[(rows["initialisation"] == name) & (rows["stage"] == stage)].sort_values(x)
            label = SHORT.get(name, name) if stage == "after" else None
            low, high = part["low"] / unit, part["high"] / unit
            ax.plot(part[x], part[y] / unit, line, color=COLORS[name], label=label)
            ax.fill_between(part[x], low, high, color=COLORS[name], alpha=0.2, linewidth=0)


def decay_by_lag(signals: pd.DataFrame) -> Drawing:
    """How far back one error reaches."""
    kept = _trained(signals)
    tasks, columns = _present(kept, "task", TASKS), _architectures(kept)
    with style.context():
        figure, axes = style.subplots(
            len(tasks), len(columns), width=style.FULL, height=0.4 + 1.6 * len(tasks), sharex=True, sharey="row",
            squeeze=False,
        )  # fmt: skip
        for row, task in zip(axes, tasks, strict=True):
            for ax, architecture in zip(row, columns, strict=True):
                part = kept[(kept["task"] == task) & (kept["architecture"] == architecture)]
                _curves(ax, part, "lag", "log_component", DECADE)
                ax.legend(fontsize=6, loc="lower left")
            row[0].set_ylabel(f"{TASKS[task]}\nlog₁₀ |∂E/∂s(T−l)|, relative")
        for ax, architecture in zip(axes[0], columns, strict=True):
            ax.set_title(NAMES[architecture])
        for ax in axes[-1]:
            ax.set_xlabel("lag l (links)")
        _stage_legend(axes[-1][-1], loc="lower left")
    n = int(kept["n"].min())
    return Drawing(
        figure,
        f"Decay of the gradient of one error with the lag, by architecture and initialisation, before (dashed) and "
        f"after (solid) training: mean of logarithms over n = {n} networks, with 95 % intervals, relative to "
        "lag 0. A straight line is an exponential decay; −10 means that one part in ten thousand million is left.",
        "Grid of panels, one row a task and one column an architecture, with lines that fall from zero; orthogonal "
        "vanilla networks and gated networks with a bias fall more slowly than default ones.",
    )


def forgetting(networks: pd.DataFrame) -> Drawing:
    """How fast each network forgets."""
    kept = _one_task(_trained(networks))
    designs = kept.groupby(["architecture", "initialisation"], sort=False)["rate"].mean().sort_values().index
    before, after = (kept[kept["stage"] == stage] for stage in STAGES)
    with style.context():
        figure, ax = style.subplots(height=0.9 + 0.24 * len(designs))
        for place, (architecture, initialisation) in enumerate(designs):
            for rows, color, shift in ((before, style.GREY, 0.16), (after, style.BLUE, -0.16)):
                chosen = (rows["architecture"] == architecture) & (rows["initialisation"] == initialisation)
                rates = rows["rate"][chosen]
                ax.plot(rates, np.full(len(rates), place + shift), "o", color=color, markersize=2.5, alpha=0.8)
                ax.plot(rates.mean(), place + shift, "|", color=style.BLACK, markersize=9)
        ax.axvline(0, color=style.GREY, linewidth=0.6, linestyle=":")
        ax.set_yticks(range(len(designs)), [_label(*design) for design in designs])
        ax.set_ylim(-0.6, len(designs) - 0.4)
        ax.set_xlabel("rate of the gradient (nats per link)")
        ax.plot([], [], "o", color=style.GREY, markersize=2.5, label="before training")
        ax.plot([], [], "o", color=style.BLUE, markersize=2.5, label="after training")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=6)
    extremes = [(design, kept.set_index(["architecture", "initialisation"]).loc[design]) for design in designs]
    words = [_in_steps(design, rows) for design, rows in (extremes[0], extremes[-1])]
    return Drawing(
        figure,
        f"Rate at which the gradient of one error changes per link, {_task_name(kept)}, before (grey) and after "
        f"(blue) training; one dot a network, bars are means (n = {_each(kept)} networks a row). {' '.join(words)} "
        f"{_losses(kept)}",
        "Dot plot with one row an architecture and initialisation, sorted by how much the network retains; nearly all "
        "dots lie left of zero.",
    )


def _each(rows: pd.DataFrame) -> int:
    return int(rows["network"].nunique())


def _in_steps(design: tuple[str, str], rows: pd.DataFrame) -> str:
    rate = rows["rate"][rows["stage"] == "after"].mean()
    if rate >= 0:
        return f"{_label(*design)} does not forget ({rate:+.2f} nats per link after training)."
    return (
        f"After training {_label(*design)} loses {-rate:.2f} nats per link: the gradient is halved every "
        f"{np.log(2) / -rate:.1f} steps."
    )


def _losses(rows: pd.DataFrame) -> str:
    """What the networks had learnt, and what it did to their units, in words."""
    loss, saturation = (rows.groupby("stage")[column].mean() for column in ("task_loss", "saturation"))
    return (
        f"Mean loss {loss['before']:.3g} before and {loss['after']:.3g} after training; the best constant prediction "
        f"has {rows['trivial_loss'].mean():.3g}. Training saturates units: of the tanh of states, cells and candidates "
        f"{saturation['before']:.0%} lie beyond ±0.99 before and {saturation['after']:.0%} after it."
    )


def lead_over_the_vanilla_rnn(pairs: pd.DataFrame) -> Drawing:
    """Whether a gated network keeps the gradient longer than a vanilla RNN."""
    kept = _trained(pairs)
    kept = kept.assign(lead=kept["rate"] - kept["reference_rate"])
    by = ["architecture", "initialisation", "reference"]
    rows = sorted(set(map(tuple, kept[by].to_numpy().tolist())), key=lambda row: (list(NAMES).index(row[0]), *row[1:]))
    markers = dict(zip(TASKS, "os", strict=True))
    with style.context():
        figure, axes = style.subplots(1, 2, width=style.FULL, height=0.8 + 0.17 * len(rows), sharey=True)
        for ax, stage in zip(axes, STAGES, strict=True):
            for place, row in enumerate(reversed(rows)):
                chosen = kept[(kept[by] == list(row)).all(axis=1) & (kept["stage"] == stage)]
                for task, shift in zip(_present(chosen, "task", TASKS), (0.16, -0.16), strict=False):
                    leads = chosen.loc[chosen["task"] == task, "lead"].to_numpy()
                    _whisker(ax, leads, place + shift, markers[task], COLORS[row[2]])
            ax.axvline(0, color=style.BLACK, linewidth=0.6)
            ax.axvspan(-0.01, 0.01, color=style.GREY, alpha=0.3, linewidth=0)
            ax.set_title(f"{stage} training")
            ax.set_xlabel("rate minus the RNN's (nats per link)")
        axes[0].set_yticks(range(len(rows)), [f"{_label(*row[:2])} − {row[2]} RNN" for row in reversed(rows)])
        axes[0].set_ylim(-0.6, len(rows) - 0.4)
        for task in _present(kept, "task", TASKS):
            axes[0].plot([], [], markers[task], color=style.GREY, markersize=3.5, label=TASKS[task])
        figure.legend(*axes[0].get_legend_handles_labels(), fontsize=6, loc="outside upper left", ncols=2)
    means = kept.groupby([*by, "task", "stage"])["lead"].mean()
    return Drawing(
        figure,
        f"Rate of gated networks minus that of the vanilla RNN beside them, per pair of initialisations: mean over "
        f"n = {_each(kept)} pairs; whiskers go from the least to the largest. Blue: against the default RNN, orange: "
        f"against the orthogonal one. To the right of the grey band the gated network keeps longer, to its left the "
        f"RNN does (mind the two scales): of {len(means)} means {int((means > 0.01).sum())} lie to the right and "
        f"{int((means < -0.01).sum())} to the left.",
        "Dot plot with one row a pair; against the default RNN the gated networks lie on the right, against the "
        "orthogonal one many lie on the left.",
    )


def _whisker(ax, values: np.ndarray, place: float, marker: str, color: str) -> None:
    ax.plot([values.min(), values.max()], [place, place], color=color, linewidth=0.8)
    ax.plot(values.mean(), place, marker, color=color, markersize=3.5)


def flow_matrices(flow: pd.DataFrame) -> Drawing:
    """What of a state is left in a later one."""
    kept = _one_task(_trained(flow))
    kept = kept[kept["initialisation"] == "default"]
    columns = _present(kept, "architecture", NAMES)
    least = float(np.floor(kept["log_flow"].replace(-np.inf, np.nan).min() / DECADE))
    least = max(least, -20.0)
    with style.context():
        figure, axes = style.subplots(
            2, len(columns), width=style.FULL, height=4.2, sharex=True, sharey=True, squeeze=False
        )
        for row, stage in zip(axes, STAGES, strict=True):
            for ax, architecture in zip(row, columns, strict=True):
                part = kept[(kept["architecture"] == architecture) & (kept["stage"] == stage)]
                matrix = part.pivot(index="t", columns="k", values="log_flow") / DECADE
                image = ax.pcolormesh(
                    matrix.columns, matrix.index, matrix, vmin=least, vmax=0, cmap="viridis", shading="nearest",
                    rasterized=True,
                )  # fmt: skip
                ax.set_title(f"{NAMES[architecture]}, {stage} training")
                ax.set_aspect("equal")
            row[0].set_ylabel("to state t")
        for ax in axes[-1]:
            ax.set_xlabel("from state k")
        figure.colorbar(image, ax=axes, label="log₁₀ |∂s(t)/∂s(k)|", extend="both", shrink=0.8)
    return Drawing(
        figure,
        f"Flow matrices, {_task_name(kept)}: how strongly state t still depends on the earlier state k (spectral "
        f"norm of the Jacobian product, mean of logarithms over the test sequences of one network, default "
        f"initialisation). A network that remembers is bright far above the diagonal, up and to the left. Colours end "
        f"at 10^{least:.0f}. n = 1 network a panel.",
        "Triangular heat maps that are bright along the diagonal and darken away from it.",
    )


def lyapunov_spectra(exponents: pd.DataFrame, networks: pd.DataFrame) -> Drawing:
    """Lyapunov spectra: how all directions of the state fare."""
    kept = _one_task(_trained(exponents))
    kept = kept[np.isfinite(kept["exponent"])]
    columns = _architectures(kept)
    with style.context():
        figure, axes = style.subplots(1, len(columns), width=style.FULL, height=2.3, sharey=True, squeeze=False)
        for ax, architecture in zip(axes[0], columns, strict=True):
            _curves(ax, kept[kept["architecture"] == architecture], "position", "exponent")
            ax.axhline(0, color=style.GREY, linewidth=0.6, linestyle=":")
            ax.set_title(NAMES[architecture])
            ax.set_xlabel("index / (n − 1)")
            ax.legend(fontsize=6, loc="lower left")
        axes[0][0].set_ylabel("exponent (nats per link)")
        _stage_legend(axes[0][-1], loc="lower left")
    top = kept[kept["index"] == 0]["exponent"]
    return Drawing(
        figure,
        f"Lyapunov spectra, {_task_name(kept)}, mean over n = {int(kept['n'].min())} networks with 95 % intervals, "
        "before (dashed) and after (solid) training; the exponents of a chain of this length, from the direction that "
        f"is kept best (left) to the one lost fastest. The largest lie between {top.min():.2f} and {top.max():.2f} "
        f"nats per link. {_kept_in_vain(_one_task(_trained(networks)))}",
        "Panels with falling curves of exponents, nearly all below zero.",
    )


def _kept_in_vain(networks: pd.DataFrame) -> str:
    """The architecture whose best-kept direction and whose error differ most after training, in words."""
    means = networks[networks["stage"] == "after"].groupby("architecture")[["exponent", "rate", "saturation"]].mean()
    name = (means["exponent"] - means["rate"]).idxmax()
    row = means.loc[name]
    return (
        f"That a direction is kept does not mean that an error enters it: after training the {NAMES[name]}'s largest "
        f"exponent is {row['exponent']:.2f} and one error changes by {row['rate']:.2f} nats per link, with "
        f"{row['saturation']:.0%} of its tanh saturated."
    )


def reach_of_the_weight_gradient(components: pd.DataFrame) -> Drawing:
    """How far back the update of the weights looks."""
    kept = _trained(components)
    kept = _one_task(kept[kept["initialisation"].isin(["default", "orthogonal"]) & (kept["stage"] == "after")])
    colors = dict(zip(NAMES, style.PALETTE, strict=False))
    with style.context():
        figure, ax = style.subplots(height=2.7)
        for (architecture, initialisation), rows in kept.groupby(["architecture", "initialisation"], sort=False):
            rows = rows.sort_values("lag")
            line, label = "-" if initialisation == "default" else ":", _label(architecture, initialisation)
            ax.plot(
                rows["lag"],
                np.log10(rows["beyond"].where(rows["beyond"] > 0)),
                line,
                color=colors[architecture],
                label=label,
            )
        ax.axhline(np.log10(0.5), color=style.GREY, linewidth=0.5, linestyle="--", label="one half")
        ax.set_ylim(max(-14, ax.get_ylim()[0]), 0.6)
        ax.set_xlabel("lag l (links)")
        ax.set_ylabel("log₁₀ share from l links back or more")
        ax.legend(fontsize=6, loc="lower right")
    return Drawing(
        figure,
        f"Share of the gradient of the recurrent weights (training loss, {_task_name(kept)}, after training; sum of "
        f"the norms |G|) that has come back over at least l links: mean over n = {int(kept['n'].min())} networks. "
        "Where a curve crosses the dashed line, half of what the weights are told has come from nearer and half from "
        "farther. Shares below 10⁻¹⁴ are not drawn.",
        "Falling lines on a logarithmic scale, one an architecture and initialisation.",
    )


def weights_hide_the_gradient(networks: pd.DataFrame) -> Drawing:
    """A healthy gradient of the weights hides a vanished one."""
    kept = _trained(networks)
    kept = kept[kept["task"] == "adding"]
    x, y = kept["log_weight_gradient"] / DECADE, kept["log_first_over_last"] / DECADE
    markers = dict(zip(NAMES, "os^D", strict=True))
    with style.context():
        figure, ax = style.subplots(height=2.9)
        for architecture, color in zip(_present(kept, "architecture", NAMES), style.PALETTE, strict=False):
            for stage, filled in (("before", False), ("after", True)):
                chosen = (kept["architecture"] == architecture) & (kept["stage"] == stage)
                ax.scatter(
                    x[chosen], y[chosen], s=14, marker=markers[architecture], edgecolors=color, linewidths=0.7,
                    facecolors=color if filled else "none", label=NAMES[architecture] if filled else None,
                    rasterized=True,
                )  # fmt: skip
        for label, face in (("before training", "none"), ("after training", style.GREY)):
            ax.scatter([], [], s=14, marker="o", edgecolors=style.GREY, facecolors=face, linewidths=0.7, label=label)
        ax.axhline(-10, color=style.BLACK, linewidth=0.6, linestyle="--")
        ax.axvspan(-3, 1, color=style.GREY, alpha=0.15, linewidth=0)
        ax.set_xlabel("log₁₀ |∂L/∂W| of the recurrent weights")
        ax.set_ylabel("log₁₀ |∂L/∂s(1)| / |∂L/∂s(T)|")
        ax.legend(loc="best", fontsize=6)
    hidden = int(((x > -3) & (x < 1) & (y <= -10)).sum())
    return Drawing(
        figure,
        f"What monitoring shows, and what it does not: norm of the gradient of the recurrent weights, against how much "
        f"of the gradient at the last state is left at the first (adding problem, whose loss is told at the end; open: "
        f"before, filled: after training). Grey: weight gradients between 10⁻³ and 10, as anybody would call healthy; "
        f"below the dashed line less than 10⁻¹⁰ is left. {hidden} of {len(kept)} marks are both; a mark is one network "
        "at one stage.",
        "Scatter plot: the points spread over many decades vertically and over few horizontally.",
    )


def cell_path_and_forget_bias(networks: pd.DataFrame) -> Drawing:
    """The forget gate's bias, the cell path and the whole gradient."""
    grid = networks["control"].isna() | (networks["control"] == "")
    kept = networks[grid & (networks["architecture"] == "lstm") & (networks["initialisation"] != "small")]
    pinned, before = kept["gate_bias"].notna(), kept["stage"] == "before"
    groups = (
        (kept[pinned], "gate weights 0", "s", style.BLUE),
        (kept[~pinned & before], "as drawn", "o", style.ORANGE),
        (kept[~before], "trained", "^", style.GREEN),
    )
    with style.context():
        figure, axes = style.subplots(1, 3, width=style.FULL, height=2.6, sharey=True)
        for ax, column, title in (
            (axes[0], "cell_path_rate", "the cell path"),
            (axes[1], "jacobian_rate", "the full Jacobian"),
            (axes[2], "rate", "the gradient of one error"),
        ):
            ends = np.array([kept["log_gate"].min() - 0.05, 0.02])
            ax.plot(ends, ends, color=style.BLACK, linewidth=0.8, label="log σ(b)")
            for rows, label, marker, color in groups:
                ax.plot(
                    rows["log_gate"],
                    rows[column],
                    marker,
                    color=color,
                    markersize=3,
                    alpha=0.6,
                    label=label,
                    rasterized=True,
                )
            ax.set_title(title)
            ax.set_xlabel("log σ(b)")
        axes[0].set_ylabel("rate (nats per link)")
        axes[0].legend(fontsize=6)
    worst = (kept["cell_path_rate"] - kept["log_gate"])[pinned].abs().max()
    return Drawing(
        figure,
        f"LSTMs: three rates against the one that the forget gate's bias b promises at the start, σ(b) a link (line). "
        f"Left: the cell path, the product of the forget gates (mean of logarithms over units). Middle: the spectral "
        f"norm of the full Jacobian ∂s(T)/∂s(0), h and c together. Right: the gradient of one error. With gate weights "
        f"0 the cell path keeps the promise to {worst:.0e} nats per link. Each of the {len(kept)} marks is one network "
        "at one stage.",
        "Three scatter plots with a diagonal; on the left squares lie on it, elsewhere most marks lie above it.",
    )
