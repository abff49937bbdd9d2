# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # How fast does a recurrent network forget?
#
# One run draws networks of one architecture and initialisation, trains them on one task, and records before and after
# how the gradient of a single error fares on its way back, and what of it reaches the weights.

# %%
from typing import Literal

# %% tags=["parameters"]
architecture: Literal["rnn", "lstm", "gru", "textbook-gru"] = "rnn"
initialisation: Literal["default", "orthogonal", "forget-bias-1", "update-bias-1", "small", "large"] = "default"
task: Literal["adding", "nottingham"] = "adding"
size: int = 32  # hidden units
length: int = 100  # links
networks: int = 8  # independent draws
rows: int = 4  # test sequences a network
updates: int = 0  # gradient steps of the training; without any there is no stage "after"
batch: int = 10  # sequences a gradient step
learning_rate: float = 0.03  # of Adam, falling linearly to a tenth
references: list[
    Literal["default", "orthogonal"]
] = []  # initialisations of vanilla RNNs drawn, trained and measured beside it
gate_bias: float | None = None  # if given: the retaining gate has no weights and this bias
burn_in: int = 0  # links that Lyapunov exponents and growth do not count
start: float = 0.0  # standard deviation of the entries of s_0
flow_matrix: bool = False  # record the flow matrix of the first network
perturbation: float = 0.0  # if above 0: only growth is measured, and again under this relative change of the weights
planted_rate: float | None = None  # planted: linear networks of this rate instead
planted_lead: float | None = None  # planted: linear networks whose rate is the (first) reference's plus this
gate_slip: float | None = None  # planted: the retaining gate is e^-slip of what it is said to be, and has no weights
weight_scale: float = 1.0  # planted: factor on the recurrent weights
seed: int = 0

# %%
import gradstudy as gs
from gradstudy.measure import through_time
from gradstudy.measure.spectral_conditions import Probe, growth
from gradstudy.models.recurrent import Design
from gradstudy.tasks.adding import Adding
from gradstudy.tasks.music import next_chords
from gradstudy.training import stages
from gradstudy.training.supervised import Exam, Schedule

# %% [markdown]
# ## The task

# %%
training = Adding() if task == "adding" else next_chords(task, "train")
test = Adding() if task == "adding" else next_chords(task, "test")
schedule = Schedule(updates, length, batch, learning_rate, optimizer="adam")
plan = stages.Plan(training, Exam(test, rows, start), schedule, networks, seed)

# %% [markdown]
# ## Networks, before and after training, and vanilla RNNs beside them

# %%
design = Design(architecture, initialisation, size, training.input_size, gate_bias, gate_slip, weight_scale)
beside = references if planted_lead is None else references[:1]
vanilla = stages.vanilla_stages(beside, size, plan)

# %%
if planted_rate is not None:
    measured = stages.planted_rate(planted_rate, size, plan)
elif planted_lead is not None:
    measured = stages.planted_lead(planted_lead, vanilla[beside[0]], plan)
else:
    measured = stages.stages(design, plan)

# %% [markdown]
# ## How far one error reaches, and what of it the weights see

# %%
if perturbation > 0:
    gs.record("growth", growth(measured["before"], Probe(burn_in, "tangent", perturbation, seed)))
else:
    gradients = through_time.weight_gradients(measured)
    gs.record("networks", through_time.networks(measured, gradients, burn_in=burn_in))

# %%
if updates > 0:
    gs.record("components", through_time.components(gradients))
    gs.record("signals", through_time.signals(measured))
    gs.record("exponents", through_time.exponents(measured, burn_in=burn_in))

# %%
if flow_matrix:
    gs.record("flow", through_time.flow(measured))

# %% [markdown]
# ## Beside a vanilla RNN

# %%
if beside:
    gs.record("pairs", through_time.pairs(measured, vanilla))
