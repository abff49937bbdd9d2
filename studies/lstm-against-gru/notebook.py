# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # LSTM or GRU?
#
# One run is one experiment: `experiment` says which. In all of them both cells are compared.

# %%
from typing import Literal

# %% tags=["parameters"]
experiment: Literal["counts", "times", "lag", "counting", "music"] = "counts"
sizes: list[int] = [16, 64, 128]  # units of the LSTM whose costs are told
inputs: int = 10  # of that layer
rounds: int = 9  # how often a pass is timed in one process
process: int = 0  # a number for each process that times; also its seed
task: Literal["adding", "temporal-order", "memorisation-5-bits", "counting-2", "counting-3"] = "temporal-order"
starts: list[Literal["default", "retaining"]] = ["default", "retaining"]  # initialisations
lengths: list[int] = [10]  # of the sequences; the learning rate is chosen at the middle one
music: Literal["generated", "nottingham", "jsb"] = "generated"
window: int = 30  # chords of a training sequence
hidden: int = 16  # units of the LSTM; the GRU has as many parameters
members: int = 16  # independent networks of each kind
rates: list[float] = [0.003, 0.01, 0.03]  # from which each kind's learning rate is chosen
pilots: int = 4  # other networks, a rate, on which it is chosen
budget: int = 1000  # updates
batch: int = 20  # sequences an update
test_sequences: int = 2000  # of which less than 1 % may be wrong
most: int = 100  # the greatest n that is looked at in counting
gru_time: float = 0.9  # of an update, over that of an LSTM with as many units
seed: int = 0
surplus: float | None = None  # planted
stand_in: float | None = None  # planted
longer: float | None = None  # planted
lead: float | None = None  # planted
further: float | None = None  # planted
nats_lead: float | None = None  # planted

# %%
import gradstudy as gs

# %% [markdown]
# ## What they cost

# %%
if experiment == "counts":
    from gradstudy.training import gated_costs

    layers = gated_costs.layers(sizes, inputs)
    gs.record("parameters", gated_costs.parameters(layers, surplus))
    gs.record("flops", gated_costs.flops(layers, stand_in))

# %%
if experiment == "times":
    from gradstudy.training import gated_costs

    gs.record("times", gated_costs.times(gated_costs.layers(sizes, inputs), rounds, process, stand_in))

# %% [markdown]
# ## How long a memory they learn

# %%
if experiment == "lag":
    from gradstudy.tasks.synthetic import SYNTHETIC
    from gradstudy.training import longest_lag
    from gradstudy.training.examination import Examination
    from gradstudy.training.rivals import Rival, rivals

    first = Rival(SYNTHETIC[task], "lstm", "default", hidden, members, budget, batch, tuple(rates), pilots, seed)
    examination = Examination(every=50, sequences=test_sequences)
    plant = longest_lag.Plant(longer, lead)
    outcomes, choice = longest_lag.outcomes(rivals(first, starts), lengths, examination, plant)
    gs.record("outcomes", outcomes)
    gs.record("pilots", choice)

# %% [markdown]
# ## How far they count

# %%
if experiment == "counting":
    from gradstudy.tasks.synthetic import SYNTHETIC
    from gradstudy.training.counting_reach import reaches
    from gradstudy.training.rivals import Rival, rivals

    first = Rival(SYNTHETIC[task], "lstm", "default", hidden, members, budget, batch, tuple(rates), pilots, seed)
    reached, choice = reaches(rivals(first, starts), most, further)
    gs.record("reaches", reached)
    gs.record("pilots", choice)

# %% [markdown]
# ## How well they know music

# %%
if experiment == "music":
    from gradstudy.tasks.music import NextChord
    from gradstudy.training.rival_music import data_set, likelihoods
    from gradstudy.training.rivals import Rival, rivals

    songs = data_set(music, window, seed=seed)
    first = Rival(
        NextChord(songs.train), "lstm", "default", hidden, members, budget, batch, tuple(rates), pilots, seed,
        dtype="float32",
    )  # fmt: skip
    scores, choice = likelihoods(rivals(first, starts), songs, gru_time, nats_lead)
    gs.record("scores", scores)
    gs.record("pilots", choice)
