# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # What does depth do to the gradient?
#
# One run is one experiment on one design of network. `experiment` says which; the other parameters are the design.

# %%
from typing import Literal

# %% tags=["parameters"]
experiment: Literal["layer-rates"] = "layer-rates"
activation: Literal["linear", "relu", "tanh", "sigmoid"] = "relu"
initialisation: Literal["standard", "glorot", "he", "gaussian", "orthogonal"] = "he"
normalisation: Literal["none", "batch"] = "none"
width: int = 512  # units a layer
depth: int = 50  # links
networks: int = 8  # independent draws
rows: int = 1  # inputs a network; under batch normalisation its batch
margin: int = 0  # links at each end that a rate does not count
sigma_w: float = 1.0  # of gaussian and orthogonal weights
sigma_b: float = 0.0  # standard deviation of the biases
critical: float | None = None  # if given: sigma_w and sigma_b of the critical point with this q*
start: float | None = None  # mean square of the entries of the input; by default the fixed point q*, or 1
differences: bool = False  # follow small differences of the inputs forward as well
weight_scale: float = 1.0  # planted: factor on all weights
planted_gain: float = 0.0  # planted: every link hands back e^(gain/2) times its gradient
planted_rate: float | None = None  # planted: linear networks of this rate of the squared norm instead
seed: int = 0

# %%
import gradstudy as gs

# %% [markdown]
# ## Fully connected networks

# %%
if experiment == "layer-rates":
    from gradstudy.measure.layer_rates import Population, critical_stack, layer_rates
    from gradstudy.models.stacks import Stack

    stack = Stack(
        width,
        depth,
        activation,
        initialisation,
        normalisation,
        sigma_w,
        sigma_b,
        weight_scale=weight_scale,
        gain=planted_gain,
        rate=planted_rate,
    )
    stack = stack if critical is None else critical_stack(stack, critical)
    found, layers = layer_rates(Population(stack, networks, rows, start, margin, differences, seed))
    gs.record("rates", found)
    gs.record("layers", layers)
