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
experiment: Literal["layer-rates", "shattering", "products", "nonlinearities", "families", "training", "lower-layers", "degradation", "paths", "tracked"] = "layer-rates"  # fmt: skip
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
family: Literal["plain", "residual", "pre-activation", "dense"] = "plain"  # of networks that see images
layer: Literal["linear", "convolution"] = "convolution"  # of networks that see images; their depth counts weight layers
block_layers: int = 1  # weight layers a block
stages: int = 1  # parts between which the resolution halves and the channels double
padding: Literal["zeros", "circular"] = "zeros"
images: Literal["gratings", "fashion-mnist"] = "fashion-mnist"
count: int = 2000  # training images
side: int = 14  # pixels
epochs: int = 0  # of the training
batch: int = 50  # images an update
learning_rate: float = 0.1  # of SGD with momentum 0.9
drops: bool = True  # the learning rate is divided by 10 after 1/2, 3/4 and 4/5 of the epochs
weight_decay: float = 0.0001
probe: int = 128  # images that gradients and representations are measured on
snapshots: int = 0  # representations that are compared with the last one
every: int = 1  # epochs between two looks at the training error
single: bool = False  # train in float32
planted_growth: float | None = None  # planted: isometries that hand back e^growth times their gradient
planted_branch: float | None = None  # planted: branches that are e^branch times an isometry
planted_shortcut: float | None = None  # planted: shortcuts that hand on e^shortcut times their input, no branches
planted_settling: float | None = None  # planted: representations that become final later with depth by this share
planted_error: float | None = None  # planted: classifiers whose error grows with depth by this much a layer
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
# %% [markdown]
# ## Families of networks that see images

# %%
if experiment in ("families", "training", "lower-layers", "degradation", "paths"):
    import gradstudy.training.families as compared
    import gradstudy.training.through_depth as followed
    from gradstudy.models.design import FeedForward
    from gradstudy.tasks.study_images import study_images
    from gradstudy.training.draws import Source
    from gradstudy.training.images import Recipe

    data = study_images(images, count, side, seed=seed)
    design = FeedForward(
        family,
        layer,
        (depth - 2) // block_layers,
        width,
        input_shape=tuple(data.images.shape[1:]),
        outputs=data.classes,
        nonlinearity=activation,
        normalisation=normalisation,
        initialisation=initialisation,
        block_layers=block_layers,
        stages=stages,
        padding=padding,
        growth_rate=width,
    )
    source = Source(design, seed, planted_growth, planted_branch, planted_shortcut, single)
    recipe = Recipe(epochs, batch, learning_rate, weight_decay=weight_decay, drops=drops)
    recipe = recipe.hardly(epochs=int(experiment == "lower-layers")) if source.planted else recipe
    lesson = followed.Lesson(data.images.to(source.dtype), data.labels, recipe, probe, snapshots=snapshots, every=every)

# %% [markdown]
# ## At initialisation: the gradient at what each block adds

# %%
if experiment == "families":
    found, blocks = compared.family_tables(source, networks, lesson.images[:probe], lesson.labels[:probe])
    gs.record("family_rates", found)
    gs.record("family_blocks", blocks)

# %% [markdown]
# ## Over training: gradients, layers, errors

# %%
trains = experiment in ("training", "lower-layers", "degradation") and planted_settling is planted_error is None
if trains:
    seen = followed.follow_all(source, networks, lesson, seed=seed)

# %%
if trains and experiment != "lower-layers":
    gs.record("moment_rates", followed.gradient_rates(seen))

# %%
if trains and experiment == "lower-layers":
    rates, layers = followed.layer_tables(seen)
    gs.record("lower_rates", rates)
    gs.record("lower_layers", layers)

# %%
if trains and epochs > 0 and not source.planted:
    errors, curve = followed.error_tables(seen)
    gs.record("training_errors", errors)
    gs.record("training_curves", curve)

# %%
if planted_settling is not None:
    gs.record("lower_rates", followed.planted_settling(planted_settling, design.depth, lesson, networks, seed=seed))

# %%
if planted_error is not None:
    gs.record("training_errors", followed.planted_errors(planted_error, depth, lesson, networks, seed=seed))

# %% [markdown]
# ## Paths through a residual network

# %%
if experiment == "paths":
    rates, paths = compared.path_tables(source, networks, lesson, rows, seed=seed)
    gs.record("path_rates", rates)
    gs.record("path_lengths", paths)

# %% [markdown]
# ## A training watched as it goes on

# %%
if experiment == "tracked":
    from gradstudy.training.tracked import tracked_layers, tracked_states

    gs.record("tracked_layers", tracked_layers(steps=40, seed=seed))
    gs.record("tracked_states", tracked_states(steps=600, seed=seed))
