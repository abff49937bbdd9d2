# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # When does the Jacobian product of a recurrent network vanish or explode?
#
# One run draws networks of one family and records, for each, the two conditions that are quoted (spectral radius, largest
# singular value), the growth of its Jacobian product, and how far back one error reaches.

# %%
from typing import Literal

# %% tags=["parameters"]
activation: Literal["tanh", "relu", "sigmoid", "linear"] = "tanh"
initialisation: Literal["gaussian", "orthogonal", "non-normal", "normal", "nilpotent", "basic-tanh", "smart-tanh", "sigmoid", "scalar", "defective", "textbook", "chaotic", "known-disagreement", "known-agreement"] = "gaussian"  # fmt: skip
scale: float = 1.0  # factor on the recurrent weights
radius: float | None = None  # if given: weights rescaled to this spectral radius
bound: float | None = None  # if given: weights rescaled so that gamma sigma_1 has this value
size: int = 50  # hidden units
length: int = 100  # links that are measured
burn_in: int = 0  # links before them
networks: int = 10  # independent draws
rows: int = 1  # input sequences and starts a network
start: float = 0.0  # standard deviation of the start state
inputs: Literal["gaussian", "none", "nottingham"] = "gaussian"
pre_activation: bool = False  # the paper's form, for tanh and relu too
updates: int = 0  # gradient steps of training on the piano rolls
search_steps: int = 0  # gradient steps of the adversarial search
growth_by: Literal["product", "tangent"] = "product"
perturbation: float = 0.0  # relative change of W under which growth is measured again
float32: bool = False  # also record what float32 autograd shows
slope: float = 1.0  # planted: the activation is this much steeper than its name
weight_scale: float = 1.0  # planted: the network runs with this many times its W
detour: float | None = None  # planted: a second path for the curvature of the scalar model
seed: int = 0

# %%
import gradstudy as gs
from gradstudy.measure.curvature import scalar_derivatives
from gradstudy.measure.spectral_conditions import Probe, component_lags, float32_against_truth, spectral_conditions
from gradstudy.models.networks import Family
from gradstudy.search.adversarial import Budget, adversarial_subjects
from gradstudy.search.random import Drive, random_networks, random_subjects
from gradstudy.search.witness import confirm

# %% [markdown]
# ## Networks
#
# Drawn at random; then, if asked for, trained on real music, or driven against the bound by gradient ascent.

# %%
family = Family(
    activation=activation,
    initialisation=initialisation,
    size=size,
    input_size={"nottingham": 88, "none": 1, "gaussian": 10}[inputs],
    scale=scale,
    rho=radius,
    bound=bound,
    slope=slope,
    weight_scale=weight_scale,
)

# %%
if inputs == "nottingham":
    from gradstudy.tasks.music import next_chords
    from gradstudy.training.supervised import Exam, Schedule, trained_subjects

    training = next_chords("nottingham", "train")
    exam = Exam(next_chords("nottingham", "test"), rows)
    drawn = random_networks(family, networks, seed=seed)
    subjects = trained_subjects(drawn, training, exam, Schedule(updates, length), seed=seed)
elif search_steps > 0:
    subjects = adversarial_subjects(
        family, networks, Budget(length, search_steps), seed=seed, weight_scale=weight_scale
    )
else:
    drive = Drive(burn_in + length, rows, inputs, start)
    subjects = random_subjects(family, networks, drive, seed=seed, pre_activation=pre_activation)

# %% [markdown]
# ## Conditions, bound and growth

# %%
probe = Probe(burn_in, growth_by, perturbation, seed)
conditions = spectral_conditions(subjects, probe)
if pre_activation or search_steps > 0:
    conditions = confirm(subjects, conditions)
gs.record("networks", conditions)

# %% [markdown]
# ## How far back one error reaches

# %%
gs.record("lags", component_lags(subjects))

# %%
if float32:
    gs.record("underflow", float32_against_truth(subjects[0]))

# %%
if initialisation == "scalar":
    gs.record("derivatives", scalar_derivatives(scale, [500, 1000], detour=detour))
