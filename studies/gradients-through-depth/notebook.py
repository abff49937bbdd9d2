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
experiment: Literal["layer-rates", "shattering", "products", "nonlinearities"] = "layer-rates"
activation: Literal["linear", "relu", "tanh", "sigmoid"] = "relu"
initialisation: Literal["standard", "glorot", "he", "gaussian", "orthogonal"] = "he"
normalisation: Literal["none", "batch", "frozen"] = "none"
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
shortcut: float | None = None  # beta of a residual network; a plain one if not given
depths: list[int] = []  # at which the correlation of gradients is taken
readouts: int = 1  # directions of the output a network, for the correlation of gradients
references: list[Literal["linear", "relu", "tanh"]] = []  # nonlinearities beside the sigmoid
gates: float | None = None  # slopes drawn for each input, unit and layer, 1 or this, whatever the pre-activations
leak: float = 0.0  # planted: slope of relu for negative inputs
weight_scale: float = 1.0  # planted: factor on all weights
planted_gain: float = 0.0  # planted: every link hands back e^(gain/2) times its gradient
planted_rate: float | None = None  # planted: linear networks of this rate of the squared norm instead
planted_lead: float | None = None  # planted: in the sigmoid's place the reference, less this rate
planted_slope: float | None = None  # planted: in the sigmoid's place a linear function of this slope
seed: int = 0

# %%
import gradstudy as gs
from gradstudy.models.stacks import Stack

# %% [markdown]
# ## Fully connected networks

# %%
stack = Stack(
    width,
    depth,
    activation,
    initialisation,
    normalisation,
    sigma_w,
    sigma_b,
    shortcut,
    leak,
    gates,
    weight_scale,
    planted_gain,
    planted_rate,
)

# %%
if experiment == "layer-rates":
    from gradstudy.measure.layer_rates import Population, critical_stack, layer_rates

    stack = stack if critical is None else critical_stack(stack, critical)
    rates, layers = layer_rates(Population(stack, networks, rows, start or critical, margin, differences, seed))
    gs.record("rates", rates)
    gs.record("layers", layers)

# %%
if experiment == "shattering":
    from gradstudy.measure.shattering import shattering

    gs.record("shattering", shattering(stack, networks, rows, depths, readouts=readouts, seed=seed))

# %%
if experiment == "products":
    from gradstudy.measure.products import products

    found, eigenvalues = products(stack, networks, seed=seed)
    gs.record("products", found)
    gs.record("eigenvalues", eigenvalues)

# %%
if experiment == "nonlinearities":
    from gradstudy.measure.layer_rates import Population
    from gradstudy.measure.nonlinearities import nonlinearities

    population = Population(stack, networks, rows, start, margin, seed=seed)
    pairs, bounds = nonlinearities(population, references, lead=planted_lead, slope=planted_slope)
    gs.record("pairs", pairs)
    gs.record("bounds", bounds)
