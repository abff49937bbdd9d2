# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Does clipping or Ω make networks predict music better?
#
# One run trains many seeds of one network on one set of piano rolls, side by side, under the paper's arms.

# %%
from typing import Literal

# %% tags=["parameters"]
music: Literal["generated", "nottingham", "piano-midi", "musedata", "jsb"] = "generated"
arms: list[str] = ["SGD", "SGD-C", "SGD-CR"]
rates: list[float] = [0.5, 1.0, 2.0, 4.0]  # first learning rates, of which each arm gets the best
choosers: int = 3  # networks for each rate and arm, on which it is chosen
members: int = 16  # independent networks an arm; the same weights and chords in every arm
hidden: int | None = 50  # sigmoid units; null: as many as the paper has for this music
length: int = 100  # chords of a chunk
batch: int = 5  # chunks an update
budget: int = 2000  # updates
every: int = 50  # updates between two points of a learning curve
rate: float = 1.0  # of all arms, if `rates` is empty
threshold: float = 8.0  # of norm clipping
alpha: float | None = None  # weight of Omega in the first epoch; null: the paper's for this music
omega: Literal["eq9", "eq10", "code"] = "code"  # its form
dtype: Literal["float64", "float32"] = "float32"
seed: int = 0
better: float | None = None  # planted
better_on_test: float | None = None  # planted

# %%
import gradstudy as gs
from gradstudy.tasks.music import NextChord
from gradstudy.theory.pascanu2013table import published, setting
from gradstudy.training import polyphonic_music
from gradstudy.training.annealing import Schedule
from gradstudy.training.arms import arms as members_of
from gradstudy.training.campaign import Campaign
from gradstudy.training.trainer import Recipe

# %%
songs = polyphonic_music.songs(music, seed=seed)
campaign = Campaign(
    NextChord(songs.train),
    "sigmoid",
    "sigmoid",
    members_of(
        arms, range(members), rate=rate, threshold=threshold, alpha=setting(music).alpha if alpha is None else alpha
    ),
    lengths=length,
    budget=budget,
    seed=seed,
    hidden=hidden or setting(music).hidden,
    recipe=Recipe(batch=batch, omega=omega),
    examination=None,
    schedule=Schedule(songs.epoch(batch * length)),
    every=every,
    lags=(),
    dtype=dtype,
)
plant = polyphonic_music.Plant(better, better_on_test)

# %% [markdown]
# ## Which learning rate suits which arm

# %%
tried = [] if plant.planted else rates
trials = polyphonic_music.try_rates(campaign, songs.valid, tried, choosers, gs.checkpoint_path("rates.npz"))
gs.record("trials", trials)

# %% [markdown]
# ## The comparison

# %%
chosen = polyphonic_music.chosen_rates(trials)
outcome = polyphonic_music.train(campaign, chosen, plant, gs.checkpoint_path("campaign.npz"))
gs.record("likelihoods", polyphonic_music.likelihoods(outcome, songs, plant))
gs.record("courses", polyphonic_music.course(outcome))

# %% [markdown]
# ## What they are beside: the key frequencies, and what the paper reports

# %%
gs.record("constants", songs.constants())
gs.record("published", published(music))
