# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # What does the error surface of a recurrent network look like, and what does a descent do there?
#
# One run is one experiment, most of them on one sigmoid unit, x(t) = w σ(x(t−1)) + b. `experiment` says which.

# %%
from typing import Literal

# %% tags=["parameters"]
experiment: Literal["maps", "wall", "fold", "crossing", "attractors", "distance", "descent"] = "maps"
weight: float = 5.0  # w where b is swept or sought
wall_weights: list[float] = [5.0, 5.5, 6.0, 6.5, 7.0]  # w at which the wall is measured
lengths: list[int] = [50, 100, 200, 400]  # numbers of steps T at which derivatives are taken
starts: int = 8  # drawn x_0; of descents, drawn (w, b)
fold_side: Literal["surviving", "vanishing"] = "surviving"  # attractor that the starts at a fold come to before it
size: int = 8  # units of the networks whose attractors are measured
gain: float = 3.0  # of their Gaussian weights
networks: int = 24  # independent draws
burn_in: int = 4000  # links that are not counted
links: int = 2000  # links that are
units: int = 24  # independent draws of one unit with two basins
decades: int = 6  # starts at distances 10^-1 .. 10^-decades from the boundary
horizon: int = 100  # steps from these starts
side: Literal["valley", "plateau"] = "valley"  # of the wall, where descents start
learning_rate: float = 0.1
updates: int = 3000  # steps of a descent
clipping: Literal["norm", "element-wise"] = "norm"  # of the descent beside the plain one
threshold: float = 1.0
weight_scale: float = 1.0  # planted: factor on the weights
planted_curvature: float | None = None  # planted: a ramp of this rate of curvature in the error's place
planted_doubling: float | None = (
    None  # planted: a ramp whose curvature's rate is twice the gradient's times 1 plus this
)
planted_exponent: float | None = None  # planted: a power of T in the place of the largest derivative at a fold
planted_rate: float | None = None  # planted: chaotic maps of this rate in the networks' place
planted_trend: float | None = None  # planted: linear units whose rate rises by this much a decade
planted_height: float | None = None  # planted: a cliff of this height, in powers of ten, in the surface's place
planted_excess: float | None = None  # planted: the clipped descent, raised by this loss, in the plain one's place
planted_turn: float = 0.0  # planted: angle by which clipped gradients are turned
seed: int = 0

# %%
import numpy as np

import gradstudy as gs

# %% [markdown]
# ## The surface and its wall

# %%
if experiment == "maps":
    from gradstudy.measure.error_surface import grid_maxima, surface_map
    from gradstudy.measure.fold_crossing import bias_sweep, equilibria
    from gradstudy.measure.wall import across_wall, along_wall

    biases = np.linspace(-3.0, -2.0, 201)
    gs.record("surface", surface_map(np.linspace(3.5, 7.0, 88), np.linspace(-4.2, -1.2, 76)))
    gs.record("grids", grid_maxima([100, 200, 400]))
    gs.record("along", along_wall(np.linspace(4.3, 7.0, 55)))
    gs.record("across", across_wall(weight))
    gs.record("sweep", bias_sweep(weight, [-3.0, -0.3, 0.5, 3.0], 50, biases))
    gs.record("equilibria", equilibria(weight, biases))

# %%
if experiment == "wall":
    from gradstudy.measure.wall import wall_growth

    planted = {"curvature": planted_curvature, "doubling": planted_doubling}
    gs.record("wall", wall_growth(wall_weights, lengths, **planted))

# %% [markdown]
# ## Crossing a bifurcation, crossing a basin boundary

# %%
if experiment == "fold":
    from gradstudy.measure.fold_crossing import fold_crossings

    gs.record("folds", fold_crossings(weight, starts, fold_side, lengths, exponent=planted_exponent, seed=seed))

# %%
if experiment == "crossing":
    from gradstudy.measure.basin_crossing import basin_crossings

    gs.record("crossings", basin_crossings(weight, starts, lengths, weight_scale=weight_scale, seed=seed))

# %% [markdown]
# ## Attractors and gradients

# %%
if experiment == "attractors":
    from gradstudy.measure.attractors import Watch, attractors, expanding_maps
    from gradstudy.models.networks import Family

    family = Family("tanh", "gaussian", size, scale=gain, weight_scale=weight_scale)
    watch = Watch(burn_in, links)
    if planted_rate is None:
        gs.record("attractors", attractors(family, networks, watch, seed=seed))
    else:
        gs.record("attractors", expanding_maps(planted_rate, size, networks, watch, seed=seed))

# %%
if experiment == "distance":
    from gradstudy.measure.basin_distance import rates_by_distance

    gs.record("distances", rates_by_distance(units, horizon, decades, trend=planted_trend, seed=seed))

# %% [markdown]
# ## Descents, with and without clipping

# %%
if experiment in ("maps", "descent"):
    from gradstudy.training.descent import Descent, Plants, compare, descent_table, draw_starts, path_table, unit_slope

    descent = Descent(learning_rate, updates, clipping, threshold, planted_turn)
    begin = draw_starts(starts, side, seed=seed)
    plain, clipped = compare(descent, begin, unit_slope(50), Plants(planted_height, planted_excess))

# %%
if experiment == "maps":
    gs.record("paths", path_table(plain, clipped, starts))

# %%
if experiment == "descent":
    gs.record("descents", descent_table(descent, plain, clipped))
