"""Updates of populations.

Oracles: autograd, Algorithm 1 written out and SGD on an nn.RNN, one member after another; torch's clip_grad_norm_ and
optimizers; `gs.pascanu_omega` in such a loop.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import gradstudy as gs
from gradstudy.errors import OptionError, UnsupportedModuleError
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.arms import Member, arms
from gradstudy.training.population import BLOCKS, Shape, draw_population
from gradstudy.training.sequences import Draws, Feed
from gradstudy.training.trainer import Recipe, Trainer

TASK, LENGTH, HIDDEN = TemporalOrder(), 20, 15


def trained(cell, members, recipe, updates, start="default"):
    """A population after some updates, what it was before, and the batches it met."""
    indices = [member.index for member in members]
    population = draw_population(Shape(cell, 6, HIDDEN, 4), start, indices, seed=0)
    before = population.take(range(len(members)))
    trainer = Trainer(population, members, TASK, recipe, LENGTH)
    feed = Feed(Draws(TASK, LENGTH, recipe.batch, 0, "training"))
    batches = [feed.batch(indices, update) for update in range(updates)]
    seen = [trainer.update(batch) for batch in batches]
    return trainer, before, batches, seen


def algorithm_1(parameters, threshold):
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in parameters))
    if norm >= threshold:
        for p in parameters:
            p.grad *= threshold / norm
    return norm


def modules_of(population, place):
    module, head = population.modules(place)
    module.bias_hh_l0.requires_grad_(False)  # a population has one bias a unit
    return module, head, [p for p in (*module.parameters(), *head.parameters()) if p.requires_grad]


def loop(before, place, batches, member, *, optimizer=torch.optim.SGD, clip=algorithm_1, form="eq10"):
    """What one would write for one network."""
    module, head, parameters = modules_of(before, place)
    stepper = optimizer(parameters, lr=member.rate)
    norms = []
    for inputs, targets in batches:
        stepper.zero_grad()
        x, y = inputs[place], targets[place]
        functional.cross_entropy(head(module(x)[0][-1]), y[0]).backward()
        if member.alpha:
            chain = gs.time_chain(module, x)
            omega = gs.pascanu_omega(chain, lambda out, y=y: functional.cross_entropy(head(out[-1]), y[0]), form)
            (slope,) = torch.autograd.grad(omega, module.weight_hh_l0)
            module.weight_hh_l0.grad += member.alpha * slope
        if member.l2:
            module.weight_hh_l0.grad += member.l2 * 2 * module.weight_hh_l0.detach()
        norms.append(clip(parameters, member.threshold))
        stepper.step()
    return module, head, norms


def difference(population, place, module, head):
    shape = population.shape
    whole = torch.cat([module.weight_hh_l0, module.weight_ih_l0, module.bias_ih_l0[:, None]], dim=1).detach()
    blocks = whole.view(-1, shape.hidden, shape.width)[list(BLOCKS[shape.cell])].flatten(0, 1)
    readout = torch.cat([head.weight, head.bias[:, None]], dim=1).detach()
    return max(
        float((population.recurrent[place] - blocks).abs().max()),
        float((population.readout[place] - readout).abs().max()),
    )


@pytest.mark.parametrize("cell", ["tanh", "relu", "lstm", "gru"])
def test_200_updates_are_those_of_autograd_algorithm_1_and_sgd(cell):
    members = arms(["SGD", "SGD-C"], range(2), rate=0.1, threshold=0.1)
    trainer, before, batches, seen = trained(cell, members, Recipe(), 200)
    for place, member in enumerate(members):
        module, head, norms = loop(before, place, batches, member)
        assert difference(trainer.population, place, module, head) < 1e-10
        assert [float(s.norm[place]) for s in seen] == pytest.approx(norms, rel=1e-9)
    factors = torch.stack([s.factor for s in seen])
    assert bool((factors[:, :2] == 1).all())  # SGD
    assert int((factors[:, 2:] < 1).all(1).sum()) > 50  # the threshold bites


@pytest.mark.parametrize("cell", ["tanh", "lstm"])
def test_200_updates_are_those_of_clip_grad_norm(cell):
    """It divides by norm + 1e-6, so its clipped norm is less by 1e-6 of itself."""
    members = arms(["SGD-C"], range(2), rate=0.1, threshold=0.1)
    trainer, before, batches, _ = trained(cell, members, Recipe(), 200)
    for place, member in enumerate(members):
        module, head, _ = loop(before, place, batches, member, clip=nn.utils.clip_grad_norm_)
        assert difference(trainer.population, place, module, head) < 1e-6


@pytest.mark.parametrize("form", ["eq9", "eq10", "code"])
def test_omega_and_l2_are_added_before_clipping(form):
    members = (
        Member(0, "SGD-CR", 0.05, threshold=0.2, alpha=0.5),
        Member(1, "SGD-R", 0.05, alpha=0.2),
        Member(2, "SGD-L2", 0.05, l2=0.03),
        Member(3, "all", 0.05, threshold=0.5, alpha=0.1, l2=0.01),
        Member(4, "SGD", 0.05),
    )
    trainer, before, batches, seen = trained("tanh", members, Recipe(omega=form), 30)
    for place, member in enumerate(members):
        module, head, norms = loop(before, place, batches, member, form=form)
        assert difference(trainer.population, place, module, head) < 1e-10
        assert [float(s.norm[place]) for s in seen] == pytest.approx(norms, rel=1e-9)
    assert seen[-1].omega.isnan().tolist() == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("optimiser", "optimizer"),
    [("adam", torch.optim.Adam), ("momentum", lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9))],
)
def test_other_optimisers_are_torchs(optimiser, optimizer):
    members = (Member(0, "a", 0.003), Member(1, "b", 0.01, threshold=0.3))
    trainer, before, batches, _ = trained("gru", members, Recipe(optimiser=optimiser), 100)
    for place, member in enumerate(members):
        module, head, _ = loop(before, place, batches, member, optimizer=optimizer)
        # Adam divides by the root of tiny squares: rounding is magnified.
        assert difference(trainer.population, place, module, head) < 1e-8


def test_float32_stays_near_float64():
    members = arms(["SGD-C"], range(2), rate=0.1)
    trainer, before, batches, _ = trained("tanh", members, Recipe(), 50)
    single = Trainer(before.like(before.weights.float()), members, TASK, Recipe(), LENGTH)
    for inputs, targets in batches:
        single.update((inputs.float(), targets))
    assert single.population.weights.dtype == torch.float32
    torch.testing.assert_close(single.population.weights.double(), trainer.population.weights, rtol=0, atol=1e-4)


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_members_that_leave_do_not_change_the_others(optimiser):
    members = arms(["SGD-C", "SGD-CR"], range(3), rate=0.05)
    trainer, before, batches, _ = trained("tanh", members, Recipe(optimiser=optimiser), 12)
    again = Trainer(before, members, TASK, Recipe(optimiser=optimiser), LENGTH)
    kept = torch.tensor([True, False, False, True, True, False])
    for inputs, targets in batches[:5]:
        again.update((inputs, targets))
    again.keep(kept)
    for inputs, targets in batches[5:]:
        again.update((inputs[kept], targets[kept]))
    # On one thread the bits are the same; on several, products are split otherwise in other company.
    atol = 0.0 if torch.get_num_threads() == 1 else 1e-12
    torch.testing.assert_close(again.population.weights, trainer.population.weights[kept], rtol=0, atol=atol)


def test_a_rescued_member_shrinks_and_goes_on():
    members = (Member(0, "relu", 0.1, threshold=1.0),)
    population = draw_population(Shape("relu", 6, HIDDEN, 4), "default", [0], seed=0)
    population.weight_hh[0] = 1e30 * torch.eye(HIDDEN, dtype=torch.float64)
    before = population.weights.clone()
    trainer = Trainer(population, members, TASK, Recipe(rescue=True), LENGTH)
    seen = trainer.update(Feed(Draws(TASK, LENGTH, 20, 0, "training")).batch([0], 0))
    assert not torch.isfinite(seen.loss).any()
    expected = before.clone()
    population.like(expected).weight_hh[0] *= 1 - 0.1 * 0.02
    torch.testing.assert_close(trainer.population.weights, expected, rtol=1e-15, atol=0)
    assert trainer.finite().all()


@pytest.mark.parametrize("option", ["optimiser", "clipping", "omega"])
def test_unknown_options_are_refused(option):
    with pytest.raises(OptionError, match=f"{option}='newton'"):
        Recipe(**{option: "newton"})


def test_omega_of_a_gated_cell_is_refused():
    population = draw_population(Shape("gru", 6, HIDDEN, 4), "default", [0], seed=0)
    with pytest.raises(UnsupportedModuleError, match="alpha > 0 for gru"):
        Trainer(population, (Member(0, "SGD-R", 0.1, alpha=1.0),), TASK, Recipe(), LENGTH)
