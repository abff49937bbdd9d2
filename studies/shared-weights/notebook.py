# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Does it matter that a recurrent network multiplies by the same matrix again and again?
#
# One run is one experiment: `experiment` says which. In all of them networks or products with one matrix for all steps
# ("tied") stand beside ones with a matrix of their own for every step ("independent").

# %%
from typing import Literal

# %% tags=["parameters"]
experiment: Literal["products", "bulk", "initialisation", "training"] = "products"
scheme: Literal["gaussian", "uniform", "orthogonal"] = "gaussian"  # how a weight matrix is drawn
gain: float = 1.0  # factor on it
width: int = 50  # rows of a matrix, units of a network
blocks: int = 20  # of 50 draws each; of each block one spread is taken
lengths: list[int] = [50, 100, 200, 400, 800, 1600]  # factors of the products
sharings: list[Literal["tied", "independent"]] = ["tied", "independent"]  # of the products
unit_radius: bool = False  # tied matrices are divided by their spectral radius
depth: int = 5  # factors of the products whose eigenvalues are taken
draws: int = 32  # of these products, or of trained networks
shares: list[float] = [0.25, 0.5, 0.75]  # of the eigenvalues that lie within the circles, by the law
length: int = 150  # steps of the networks
lags: list[int] = [12, 25, 50, 100]  # over which their gradients are followed
drive: float = 1.0  # standard deviation of a unit's share of its input
rows: int = 4  # input sequences a network
rates: list[float] = [0.0078125, 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
updates: int = 300  # gradient steps of the training
batch: int = 10  # sequences an update
threshold: float | None = None  # of the norm of the gradient; no clipping if not given
excess: float | None = None  # planted: a gain of every draw that makes the spread grow with a larger exponent
weight_scale: float = 1.0  # planted: factor on all matrices
independent_scale: float = 1.0  # planted: factor on the independent matrices
planted_ratio: float | None = None  # planted: linear networks whose rates are this many times as far apart if tied
accidents: float | None = (
    None  # planted: all networks are tied, and this share of them is spoilt in the tied ones' place
)
seed: int = 0

# %%
import gradstudy as gs
from gradstudy.models.shared_matrices import Matrices
from gradstudy.models.unfolded import Design

matrices = Matrices(width, scheme, gain)

# %% [markdown]
# ## Products of matrices: how far apart are the draws?

# %%
if experiment == "products":
    from gradstudy.measure.product_spread import Products, product_spreads

    products = Products(matrices, unit_radius, weight_scale, excess)
    gs.record("spreads", product_spreads(products, blocks, lengths, sharings, seed=seed))

# %% [markdown]
# ## The bulk of their eigenvalues

# %%
if experiment == "bulk":
    from gradstudy.measure.bulk_spectra import bulk_spectra

    counts, eigenvalues = bulk_spectra(matrices, depth, draws, shares, seed=seed, independent_scale=independent_scale)
    gs.record("bulk", counts)
    gs.record("eigenvalues", eigenvalues)

# %% [markdown]
# ## Networks at initialisation

# %%
if experiment == "initialisation":
    from gradstudy.measure.gradient_spread import Population, gradient_spread

    design = Design(matrices, length, drive=drive)
    spreads, gradient_rates = gradient_spread(Population(design, blocks, rows, seed, planted_ratio), lags)
    gs.record("spreads", spreads)
    gs.record("gradient_rates", gradient_rates)

# %% [markdown]
# ## Training

# %%
if experiment == "training":
    from gradstudy.tasks.two_sequence import TwoSequence
    from gradstudy.training.shared_weights import Lesson, compare

    design = Design(matrices, length, drive=drive)
    lesson = Lesson(design, TwoSequence(informative=1), tuple(rates), updates, batch, threshold, accidents)
    by_draw, by_rate = compare(lesson, draws, seed=seed)
    gs.record("trainings", by_draw)
    gs.record("by_rate", by_rate)
