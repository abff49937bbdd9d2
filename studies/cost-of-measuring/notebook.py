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
quantity: Literal["gradient-norms", "jacobians", "product-spectrum", "lyapunov-exponents", "lyapunov-exponents-every-link"] = "gradient-norms"  # fmt: skip
module: Literal["rnn", "lstm", "gru"] = "rnn"
hidden: int = 128
length: int = 200
batch: int = 32
rounds: int = 9
stepped: bool = True  # also against stepping the module and the cell
seed: int = 0

# %%
import gradstudy as gs
from gradstudy.measure.costs import Size, cost, memory

# %%
size = Size(module, hidden, length, batch)
gs.record("ratios", cost(quantity, size, rounds=rounds, stepped=stepped, seed=seed))

# %%
if quantity == "gradient-norms":
    gs.record("memory", memory(size, seed=seed))
