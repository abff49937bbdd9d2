# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Holding one bit, and learning to
#
# One run does one experiment on the latches of Bengio, Simard and Frasconi (1994): how their gradient fades, how often
# noise flips their bit, whether backpropagation teaches them, and where their theorems hold.

# %%
from typing import Literal

# %% tags=["parameters"]
experiment: Literal["identity", "rates", "tradeoff", "convergence", "density", "rivals", "balls", "latched", "gap"] = "rates"  # fmt: skip
weights: list[float] = [1.05, 1.25, 1.5, 2.0, 3.0, 4.0]  # w of the latches
noise: float = 0.2  # standard deviation, or half the width where it is uniform
links: int = 100  # that are measured, or steps after which the bit is read
trajectories: int = 200  # of each latch, or draws to compare probabilities with
lengths: list[int] = [5, 10, 20, 50, 100]  # T of the sequences that are learnt
rates: list[float] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]  # learning rates
searches: int = 200  # independent starts
updates: int = 2000  # gradient steps after which a run is given up
reach: float = 0.5  # of the uniform initial parameters
start_weight: float = 1.25  # where w starts
streak: int = 100  # updates in a row without an error: learnt
noises: list[float] = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6]  # s of the map of convergence
start_weights: list[float] = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0]  # w_0 of the map
task: Literal["latch", "two-sequence"] = "latch"  # of guessing against backpropagation
guesses: list[float] = [1.0, 10.0, 100.0]  # ranges of guessed weights
bound: float = 0.9  # size of bounded inputs over h*(w)
networks: int = 4  # draws of the latch of two units
rows: int = 50  # starts of each
slip: float = 0.0  # planted: nats by which each link hands back more gradient than it should
excess: float = 0.0  # planted: the gradient's rate is this much larger than it should be, relatively
noise_growth: float = 0.0  # planted: the noise grows with the weight, as w to this power
drop: float | None = None  # planted: T does not matter, and so much a doubling is struck out
rival: float | None = None  # planted: backpropagation is a guesser who pays so much for a presentation
border: float = 1.0  # planted: balls are sorted by so many times the border of Gamma
coupling: float = 1.0  # planted: factor on what couples the two units
drive: float = 1.0  # planted: factor on the inputs of the latch of two units
seed: int = 77

# %%
import gradstudy as gs

# %% [markdown]
# ## The gradient of one latch

# %%
if experiment in ("identity", "rates", "latched"):
    from gradstudy.measure import latch_rates

    walk = latch_rates.Walk(weights, noise, links, trajectories, seed)

# %%
if experiment == "identity":
    gs.record("identity", latch_rates.identity(walk, slip=slip))

# %%
if experiment == "rates":
    gs.record("rates", latch_rates.rates(walk, excess=excess))

# %%
if experiment == "latched":
    gs.record("latched", latch_rates.latched_rates(weights, bound, links=links, rows=rows, seed=seed))

# %% [markdown]
# ## Its bit

# %%
if experiment == "tradeoff":
    from gradstudy.measure.latch_tradeoff import tradeoff

    gs.record("tradeoff", tradeoff(weights, noise, links, trajectories, growth=noise_growth, seed=seed))

# %% [markdown]
# ## Balls of uncertainty

# %%
if experiment == "balls":
    from gradstudy.measure.uncertainty_balls import ball_paths, balls

    gs.record("balls", balls(weights, rows, border=border, links=links, seed=seed))
    gs.record("ball_paths", ball_paths([1.25, 1.5, 2.0], [0.001, 0.1, 0.5, 1.2, 2.0], 0.01, 60))

# %% [markdown]
# ## Two units, where eigenvalues are no norms

# %%
if experiment == "gap":
    from gradstudy.measure.latch_gap import Watch, driven_growth, driven_path, gamma_balls
    from gradstudy.models.two_unit_latch import TwoUnitLatch

    latch = TwoUnitLatch(spread=0.01, coupling=coupling, drive=drive)
    watch = Watch(burn_in=500, links=links, rows=rows, noise=0.005, networks=networks, seed=seed)
    gs.record("driven", driven_growth(latch, watch))
    gs.record("driven_path", driven_path(latch, watch))
    gs.record("gamma_balls", gamma_balls(latch, 1000, 0.05, networks, seed=seed))

# %% [markdown]
# ## Learning to hold it

# %%
if experiment in ("convergence", "density", "rivals"):
    from gradstudy.training.latch_convergence import Setting, convergence, density, shares

    setting = Setting(searches, rates, updates, noise, reach, seed)

# %%
if experiment == "convergence":
    runs = convergence(setting, lengths, start_weight, streak, drop=drop)
    gs.record("convergence", runs)
    gs.record("shares", shares(runs))

# %%
if experiment == "density":
    gs.record("density", density(setting, lengths[0], noises, start_weights))

# %% [markdown]
# ## Guessing against backpropagation

# %%
if experiment == "rivals":
    from gradstudy.training.latch_rivals import rivals

    gs.record("rivals", rivals(task, setting, lengths, guesses, rival=rival))
