# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # What does running studies cost?
#
# One run times one thing that `gradstudy run`, `plan` or `report` does.

# %%
from typing import Literal

# %% tags=["parameters"]
quantity: Literal["two-at-a-time", "planning", "scheduling", "reports"] = "planning"
runs: int = 1000
seconds: float = 0.0  # of processor time a run
rounds: int = 3

# %%
import pandas as pd

import gradstudy as gs
from gradstudy.report.costs import cost_of_reports
from gradstudy.study.costs import cost_of_jobs, cost_of_planning, cost_of_scheduling

# %%
if quantity == "two-at-a-time":
    cost = cost_of_jobs(runs, seconds, rounds)
elif quantity == "planning":
    cost = cost_of_planning(runs, rounds)
elif quantity == "scheduling":
    cost = cost_of_scheduling(runs, rounds)
else:
    cost = cost_of_reports()
gs.record("costs", pd.DataFrame([cost]))
