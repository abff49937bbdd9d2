# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Could it be luck?
#
# One run guesses the weights of small recurrent networks until one of them solves a task.

# %%
from typing import Literal

# %% tags=["parameters"]
task: Literal["latch", "two-sequence", "parity", "temporal-order", "temporal-order-3", "adding", "multiplication", "random-permutation", "memorisation", "memorisation-5-bits", "counting-2", "counting-3"] = "temporal-order"  # fmt: skip
length: int = 20
hidden: int = 50  # tanh units
output: Literal["linear", "sigmoid"] = "linear"
reaches: list[float] = [1.0, 10.0, 100.0]  # weights are uniform on +-reach
searches: int = 16  # independent searches for each reach
most: int = 10000  # guesses after which a search is given up
seed: int = 0

# %%
import pandas as pd

import gradstudy as gs
from gradstudy.search.guessed_networks import elman
from gradstudy.search.random_guessing import Guessing, guessing_table
from gradstudy.tasks.synthetic import SYNTHETIC

# %%
problem = SYNTHETIC[task]
guesser = elman(problem.input_size, hidden, problem.output_size, psi=output)
found = guessing_table(problem, guesser, Guessing((length,), trials=most), reaches, searches, seed=seed)

# %%
gs.record("searches_made", found)
gs.record("blind", pd.DataFrame([{"trivial_error": problem.trivial_error(length)}]))
