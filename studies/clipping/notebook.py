# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # What does clipping the gradient do to a training, and what can it not do?
#
# One run makes one of six experiments on many seeds of a small recurrent network.

# %%
from typing import Literal

# %% tags=["parameters"]
experiment: Literal["endings", "landings", "directions", "thresholds", "finite", "vanishing"] = "endings"
task: Literal["adding", "temporal-order"] = "temporal-order"
cell: Literal["tanh", "relu", "sigmoid"] = "tanh"
start: Literal["default", "basic-tanh", "sigmoid"] = "basic-tanh"
length: int = 20
hidden: int = 50
members: int = 16  # independent networks; the same weights and sequences whatever the clipping
budget: int = 1000  # updates at most
rate: float = 0.05
rates: list[float] = []  # in the place of the one, where several are tried
threshold: float = 1.0  # of norm clipping
thresholds: list[float] = []  # in the place of the one, where several are tried
factors: list[float] = []  # thresholds of norm clipping in averages of the gradient norm
element_factors: list[float] = []  # of clipping element by element
measured_over: int = 1000  # updates over which the average norm is measured
epoch: int | None = None  # updates after which the training sequences come again
seed: int = 0
planted_threshold: float | None = None  # planted
accidents: float | None = None  # planted
planted_height: float | None = None  # planted
turn: float | None = None  # planted
late: float | None = None  # planted
quicker: float | None = None  # planted
raised: float | None = None  # planted
stretch: float | None = None  # planted
worse: float | None = None  # planted

# %%
import numpy as np

import gradstudy as gs
from gradstudy.tasks.synthetic import SYNTHETIC
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign
from gradstudy.training.examination import Examination

# %%
campaign = Campaign(
    SYNTHETIC[task],
    cell,
    start,
    arms(["SGD"], range(members), rate=rate),
    lengths=length,
    budget=budget,
    seed=seed,
    hidden=hidden,
    examination=Examination() if experiment == "thresholds" else None,
    every=10,
    epoch=epoch,
    lags=(),
)

# %% [markdown]
# ## How trainings end, at large learning rates

# %%
if experiment == "endings":
    from gradstudy.training import worst_case

    planted = worst_case.Plant(planted_threshold, accidents)
    gs.record("endings", worst_case.endings(campaign, rates, threshold, planted))

# %% [markdown]
# ## Single steps: that of the largest gradient, and those that are clipped

# %%
if experiment == "landings":
    from gradstudy.training import largest_steps

    gs.record("landings", largest_steps.landings(campaign, threshold, planted_height))

# %%
if experiment == "directions":
    from gradstudy.training import clipped_steps

    gs.record("directions", clipped_steps.directions(campaign, threshold, turn))

# %% [markdown]
# ## Thresholds, of the norm and of every element

# %%
if experiment == "thresholds":
    from gradstudy.training import thresholds as by_threshold

    search = by_threshold.Search([*factors, np.inf], element_factors, measured_over)
    planted_times = by_threshold.Plant(late, quicker)
    gs.record("times", by_threshold.times(campaign, search, planted_times, gs.checkpoint_path("times.npz")))

# %% [markdown]
# ## A finite training set

# %%
if experiment == "finite":
    from gradstudy.training import finite_set

    by_rate = finite_set.by_rate(campaign, rates, threshold, raised)
    gs.record("learning_rates", by_rate)
    gs.record("finite", finite_set.at_best_rates(by_rate))

# %% [markdown]
# ## Where gradients vanish

# %%
if experiment == "vanishing":
    from gradstudy.training import vanishing

    gs.record("vanishing", vanishing.compare(campaign, thresholds, vanishing.Plant(stretch, worse)))
