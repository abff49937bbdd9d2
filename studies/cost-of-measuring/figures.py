"""Figures of the study: tables in, figures out."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

# What was asked for before anything was measured: ours / baseline at most this, by quantity, module and baseline.
TARGETS = {
    ("gradient-norms", "rnn", "fused forward and backward"): 1.2,
    ("gradient-norms", "gru", "fused forward and backward"): 1.2,
    ("gradient-norms", "lstm", "fused forward and backward"): 1.5,
    ("gradient-norms", "rnn", "stepped cell with retain_grad"): 1.0,
    ("gradient-norms", "gru", "stepped cell with retain_grad"): 1.0,
    ("gradient-norms", "lstm", "stepped cell with retain_grad"): 1.0,
    ("gradient-norms", "rnn", "stepped fused module"): 1 / 3,
    ("gradient-norms", "gru", "stepped fused module"): 1 / 1.5,
    ("gradient-norms", "lstm", "stepped fused module"): 1 / 1.5,
    ("jacobians", "rnn", "vmap(jacrev(cell)) in chunks"): 1 / 5,
    ("jacobians", "gru", "vmap(jacrev(cell)) in chunks"): 1 / 5,
    ("jacobians", "lstm", "vmap(jacrev(cell)) in chunks"): 1 / 5,
    ("lyapunov-exponents", "lstm", "vmap(jacrev(cell)) in chunks, QR every step"): 1 / 4,
    ("lyapunov-exponents", "lstm", "stepped jacrev(cell), QR every step"): 1 / 8,
    ("lyapunov-exponents-every-link", "lstm", "vmap(jacrev(cell)) in chunks, QR every step"): 1 / 1.5,
}
# Of populations.
POPULATION = {
    ("population", "rnn"): 1 / 4,
    ("population", "lstm"): 1.0,
    ("population", "gru"): 1.0,
    ("population-norms", "rnn"): 1.15,
    ("population-norms", "lstm"): 1.15,
    ("population-norms", "gru"): 1.15,
}
# Of a ResNet-20: by quantity, group and baseline.
DEPTH = {
    ("largest-values", "largest-values", "jacrev in chunks, dense SVD"): 1 / 20,
    ("tracking", "tracking", "training step without"): 1.05,
    ("tracking", "tracking-every-10th", "training step without"): 1.02,
}
# The same at H = 64, B = 8.
SMALL = {"stepped cell with retain_grad": 1 / 3}


def _target(row: pd.Series) -> float:
    """The target of a row of ratios; NaN where none was set."""
    if row["group"].startswith("gated-small"):
        return SMALL.get(row["baseline"], np.nan)
    if row["module"] == "resnet-20":
        return DEPTH.get((row["quantity"], row["group"], row["baseline"]), np.nan)
    population = POPULATION.get((row["quantity"], row["module"]), np.nan)
    return TARGETS.get((row["quantity"].removesuffix("-every-step"), row["module"], row["baseline"]), population)


def ratios_to_baselines(ratios: pd.DataFrame) -> Drawing:
    """Running time of the measurements over that of what one would write instead."""
    rows = ratios[ratios["group"] != "length"].reset_index(drop=True)
    rows = rows.assign(target=rows.apply(_target, axis=1))
    place = np.arange(len(rows))[::-1]
    with style.context():
        figure, ax = style.subplots(width=style.FULL, height=0.7 + 0.2 * len(rows))
        ax.axvline(1, color=style.GREY, linewidth=0.6, linestyle=":")
        spread = [rows["ratio"] - rows["low"], rows["high"] - rows["ratio"]]
        ax.errorbar(rows["ratio"], place, xerr=spread, fmt="o", color=style.BLUE, label="measured (median, quartiles)")
        known = rows["target"].notna()
        ax.plot(
            rows["target"][known], place[known], "|", color=style.VERMILLION, markersize=11, markeredgewidth=2,
            label="at most",
        )  # fmt: skip
        ax.set_yticks(place, [_name(row) for _, row in rows.iterrows()])
        ax.set_ylim(-0.6, len(rows) - 0.4)
        _ratio_axis(ax, [*rows["low"], *rows["high"], *rows["target"][known], 1.0])
        ax.set_xlabel("running time: ours / baseline (logarithmic)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    met = int((rows["ratio"] <= rows["target"]).sum())
    missed = rows[rows["ratio"] > rows["target"]]
    words = "; ".join(
        f"{_name(row)}: {row['ratio']:.2f} instead of {row['target']:.2f}" for _, row in missed.iterrows()
    )
    held = rows["peak_bytes"].max() if "peak_bytes" in rows else np.nan
    memory = f" For the 10 largest singular values tensors held at most {held / 1e6:.0f} MB." if held > 0 else ""
    return Drawing(
        figure,
        f"Running time of the whole call over each baseline's, median and quartiles over {rows['n'].min()} to "
        f"{rows['n'].max()} rounds. The upright bars are the targets set beforehand: {met} of {int(known.sum())} are "
        f"met{'; missed: ' + words if words else ''}.{memory}",
        "One dot a baseline with its quartiles on a logarithmic axis of ratios; bars show the target of each.",
    )


def _name(row: pd.Series) -> str:
    quantity = row["quantity"].removesuffix("-every-link").removesuffix("-every-step").replace("-", " ")
    if row["quantity"] == "largest-values":
        return f"ResNet-20: 10 largest singular values / {row['baseline']}"
    if row["quantity"] == "tracking":
        how = "every step" if row["every"] == 1 else f"every {row['every']}th step"
        return f"ResNet-20: tracked {how} / {row['baseline']}"
    if row["quantity"].startswith("population"):
        what = "update" if row["quantity"] == "population" else "update with norms of dL/dh"
        precision = f", {row['precision']}" if row["quantity"] == "population" else ""
        return f"{row['members']} {row['module'].upper()}s of {row['hidden']}{precision}: {what} / {row['baseline']}"
    every = ", QR every link" if row["quantity"].endswith("-every-link") else ""
    every = ", loss at every step" if row["quantity"].endswith("-every-step") else every
    return f"{row['module'].upper()} {row['hidden']}: {quantity}{every} / {row['baseline']}"


def cost_over_length(ratios: pd.DataFrame) -> Drawing:
    """Cost of gradient_norms over the length of the sequence."""
    fused = ratios[(ratios["module"] == "rnn") & (ratios["baseline"] == "fused forward and backward")]
    rows = fused[fused["group"] == "length"]
    rows = (rows if len(rows) else fused).sort_values("length")  # in a profile without the sweep: the lengths it has
    with style.context():
        figure, ax = style.subplots()
        ax.plot(rows["length"], rows["milliseconds"] / rows["length"] * 1e3, "o-", label="gradient_norms, whole call")
        ax.plot(
            rows["length"], rows["baseline_milliseconds"] / rows["length"] * 1e3, "s--", label="fused forward, backward"
        )
        ax.set_xscale("log")
        ax.set_ylim(bottom=0)
        ax.set_xlabel("length T")
        ax.set_ylabel("µs per step")
        ax.legend()
    per_step = rows["milliseconds"] / rows["length"]
    words = (
        f"from T = {rows['length'].iloc[0]} to {rows['length'].iloc[-1]} the time per step changes by a factor of "
        f"{per_step.iloc[-1] / per_step.iloc[0]:.2f} (a cost linear in T would give 1)"
        if len(rows) > 1
        else f"T = {rows['length'].iloc[0]} alone; the standard profile has more"
    )
    return Drawing(
        figure,
        f"Time per step against the length, H = {rows['hidden'].iloc[0]}, B = {rows['batch'].iloc[0]}: {words}. "
        "Medians over rounds.",
        "Two nearly level lines of microseconds per step over sequence length.",
    )


def memory_in_states(memory: pd.DataFrame) -> Drawing:
    """Extra memory of gradient_norms of an nn.RNN in units of the stored states."""
    rows = memory[memory["module"] == "rnn"].sort_values(["length", "hidden"]).reset_index(drop=True)
    with style.context():
        figure, ax = style.subplots(height=2.0)
        ax.plot(rows["length"], rows["extra_states"], "o", color=style.BLUE, label="measured")
        ax.axhline(4, color=style.VERMILLION, linewidth=1, label="at most")
        ax.set_xscale("log")
        ax.set_ylim(0, 5)
        ax.set_xlabel("length T")
        ax.set_ylabel("extra memory / stored states")
        ax.legend(loc="lower right")
    return Drawing(
        figure,
        f"Most memory that tensors held during the whole call of gradient_norms of an nn.RNN, beside the module's own "
        f"output and the stored states, over the bytes of these states: {rows['extra_states'].min():.2f} to "
        f"{rows['extra_states'].max():.2f} for T = {rows['length'].min()} to {rows['length'].max()}. Deterministic; "
        f"n = {len(rows)} sizes.",
        "Dots at about the same height for every length, below the line at four.",
    )


def _ratio_axis(ax, values: list[float]) -> None:
    ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    low, high = min(values) / 1.3, max(values) * 1.3
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
