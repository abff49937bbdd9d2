# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # What does measuring cost?
#
# One run times one measurement beside what one would write without gradstudy, in one process, taken in turn.

# %%
from typing import Literal

# %% tags=["parameters"]
quantity: Literal["gradient-norms", "gradient-norms-every-step", "jacobians", "product-spectrum", "lyapunov-exponents", "lyapunov-exponents-every-link", "largest-values", "tracking", "population", "population-norms"] = "gradient-norms"  # fmt: skip
module: Literal["rnn", "lstm", "gru", "resnet-20"] = "rnn"
hidden: int = 128
length: int = 200
batch: int = 32
rounds: int = 9
every: int = 1  # tracking: steps of training between two measurements
stepped: bool = True  # also against stepping the module and the cell
members: int = 8  # population: networks trained side by side
precision: Literal["float64", "float32"] = "float64"  # population
seed: int = 0

# %%
import gradstudy as gs
from gradstudy.measure.costs import Size, cost, cost_of_largest_values, memory
from gradstudy.track.costs import cost_of_tracking
from gradstudy.training.costs import Training, cost_of_population, cost_of_state_norms

# %%
size = Size(module, hidden, length, batch)
if quantity == "tracking":
    gs.record("ratios", cost_of_tracking(every=every, batch=batch, rounds=rounds, seed=seed))
elif quantity == "population":
    training = Training(module, hidden, length, batch, members, precision)
    gs.record("ratios", cost_of_population(training, rounds=rounds, seed=seed))
elif quantity == "population-norms":
    training = Training(module, hidden, length, batch, members, precision)
    gs.record("ratios", cost_of_state_norms(training, rounds=rounds, seed=seed))
elif quantity == "largest-values":
    gs.record("ratios", cost_of_largest_values(rounds=rounds, seed=seed))
else:
    gs.record("ratios", cost(quantity, size, rounds=rounds, stepped=stepped, seed=seed))

# %%
if quantity == "gradient-norms":
    gs.record("memory", memory(size, seed=seed))
