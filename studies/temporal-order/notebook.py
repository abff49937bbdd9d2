# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # How far back can a recurrent network learn to look?
#
# One run trains many seeds of one network on temporal order, side by side, under the paper's arms.

# %%
from typing import Literal

# %% tags=["parameters"]
cell: Literal["tanh", "relu", "sigmoid", "lstm", "gru"] = "tanh"
start: Literal["sigmoid", "basic-tanh", "smart-tanh", "default", "orthogonal", "forget-bias-1", "update-bias-1"] = "basic-tanh"  # fmt: skip
arms: list[str] = ["SGD", "SGD-C", "SGD-R", "SGD-CR", "SGD-L2"]
length: int = 20
longest: int | None = None  # with it, every update draws a length from this range
members: int = 16  # independent networks an arm; the same weights and sequences in every arm
hidden: int = 50
budget: int = 10000  # updates at most
examined: bool = True  # runs end when they have succeeded
optimiser: Literal["sgd", "adam"] = "sgd"
rate: float = 0.01
threshold: float = 1.0  # of norm clipping
alpha: float = 4.0  # weight of Omega
l2: float = 0.1  # weight of the sum of squares of W_hh
omega: Literal["eq9", "eq10", "code"] = "eq10"
compared_after: int = 2000  # updates after which spectral radii are compared
test_lengths: list[int] = []
test_sequences: int = 10000
seed: int = 0
late: float | None = None  # planted
late_by_length: float | None = None  # planted
radius_slope: float | None = None  # planted
paired_at: float | None = None  # planted
mistakes: float | None = None  # planted

# %%
import gradstudy as gs
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import temporal_order
from gradstudy.training.arms import arms as members_of
from gradstudy.training.campaign import Campaign
from gradstudy.training.examination import Examination
from gradstudy.training.trainer import Recipe

# %%
campaign = Campaign(
    TemporalOrder(),
    cell,
    start,
    members_of(arms, range(members), rate=rate, threshold=threshold, alpha=alpha, l2=l2),
    lengths=length if longest is None else (length, longest),
    budget=budget,
    seed=seed,
    hidden=hidden,
    recipe=Recipe(optimiser=optimiser, omega=omega),
    examination=Examination() if examined else None,
    every=100,
)
plant = temporal_order.Plant(late, late_by_length, radius_slope, paired_at, mistakes)
outcome = temporal_order.train(campaign, plant, gs.checkpoint_path("campaign.npz"))

# %%
gs.record("outcomes", temporal_order.members(outcome, plant, at=compared_after))
gs.record("courses", temporal_order.course(outcome, most=2, every=200))

# %%
if test_lengths:
    gs.record("lengths", temporal_order.generalisation(outcome, test_lengths, plant, sequences=test_sequences))
