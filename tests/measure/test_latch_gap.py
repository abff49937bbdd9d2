"""Gamma by eigenvalues, and latches of two units that leave it no sense.

Oracles: numpy's eigenvalues; Jacobians of the iterated map by autograd; the growth of a finite difference; one-unit
closed forms for diagonal weights.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gradstudy.measure import latch_gap
from gradstudy.measure.latch_gap import Watch, driven_growth, driven_path, gamma_balls
from gradstudy.measure.reduced_attracting_set import (
    count_attractors,
    iterates,
    left_to_itself,
    same_limit,
    spectral_radius,
)
from gradstudy.models.randomness import generator
from gradstudy.models.two_unit_latch import TwoUnitLatch, alternating_inputs, draw_two_unit_latch
from gradstudy.theory import bengio1994

LATCH = TwoUnitLatch()


def module(latch=LATCH):
    return draw_two_unit_latch(latch, torch.Generator().manual_seed(0)).module


def test_spectral_radii_against_numpy():
    matrices = torch.randn(200, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = [np.abs(np.linalg.eigvals(m.numpy())).max() for m in matrices]
    assert spectral_radius(matrices).tolist() == pytest.approx(exact, rel=1e-7)


def test_derivatives_of_iterates_against_autograd(monkeypatch):
    monkeypatch.setattr("gradstudy.measure.reduced_attracting_set.ITERATES", 3)
    net = module()
    states = torch.tensor([[0.4, 0.9], [1.5, -0.2], [-2.0, 3.0]], dtype=torch.float64)
    found = iterates(net, states)
    for i, state in enumerate(states):
        radii, image = [], state
        for times in range(1, 4):

            def iterate(a, times=times):
                for _ in range(times):
                    a = left_to_itself(net, a[None])[0]
                return a

            jacobian = torch.autograd.functional.jacobian(iterate, state)
            radii.append(np.abs(np.linalg.eigvals(jacobian.detach().numpy())).max())
            if times == 1:
                assert found.norm[i].item() == pytest.approx(np.linalg.norm(jacobian.detach().numpy(), 2))
            image = iterate(state)
        assert found.rho[i].item() == pytest.approx(max(radii), rel=1e-9)
        assert found.limit[i].tolist() == pytest.approx(image.tolist())


def test_left_to_itself_it_is_the_minimal_latch_and_holds_one_bit():
    net = module()
    states = torch.tensor([[0.3, -13.0], [-0.3, -13.0]], dtype=torch.float64)
    with torch.no_grad():
        for _ in range(200):
            states = left_to_itself(net, states)
    bit = bengio1994.fixed_point(1.6)
    assert states[:, 0].tolist() == pytest.approx([bit, -bit], abs=1e-6)
    assert count_attractors(net, 4.0) == 2
    assert count_attractors(module(TwoUnitLatch(coupling=0.0)), 4.0) == 2


def test_points_that_come_to_another_attractor_are_told():
    limits = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]]], dtype=torch.float64)
    assert same_limit(limits).tolist() == [[True, True], [True, False]]


WATCH = Watch(burn_in=100, links=150, rows=6, noise=0.005, networks=2, seed=3)


def test_the_driven_latch_is_in_gamma_and_its_gradient_grows():
    table = driven_growth(TwoUnitLatch(spread=0.01), WATCH)
    assert (table[["rho", "rho_perturbed"]] < 1).all(axis=None)
    assert table["settles"].all()
    assert (table["attractors"] == 2).all()
    assert (table["growth_low"] > 0.01).all()
    assert (table["norm"] > 4).all()


def test_growth_is_that_of_two_trajectories_a_little_apart():
    latch = TwoUnitLatch()
    net = module(latch)
    stream = generator(WATCH.seed, 0, "driven latch")
    inputs = alternating_inputs(latch, 250, 6, 0.005, stream)
    start = torch.randn(6, 2, generator=stream, dtype=torch.float64)
    a, gap, rates = start, torch.tensor([1e-7, 1e-7], dtype=torch.float64), []
    with torch.no_grad():
        for u in inputs:
            b = left_to_itself(net, a + gap) + u
            a = left_to_itself(net, a) + u
            size = (b - a).norm(dim=1, keepdim=True)
            rates.append((size / gap.norm(dim=-1, keepdim=True)).log())
            gap = 1e-7 * (b - a) / size
    growth = torch.stack(rates[100:]).mean().item()
    table = driven_growth(latch, WATCH)
    assert table["growth"].iloc[0] == pytest.approx(growth, abs=0.02)
    path = driven_path(latch, WATCH)
    assert path["log_norm"].iloc[-1] / 150 == pytest.approx(growth, abs=0.02)
    assert path["rho"].iloc[-1] <= table["rho"].iloc[0] + 1e-12


def test_without_inputs_nothing_grows():
    table = driven_growth(TwoUnitLatch(spread=0.01, drive=0.0), WATCH)
    assert table["settles"].all()
    assert (table["growth_high"] < -0.3).all()


def test_rows_in_two_basins_are_each_judged_by_their_own():
    still = TwoUnitLatch(drive=0.0)
    watch = replace(WATCH, rows=60)
    subject = latch_gap._subject(still, watch, 0)
    ends = subject.chain().states[-1][:, 0].sign()
    assert set(ends.tolist()) == {-1.0, 1.0}
    assert latch_gap._visited(subject, watch).settled.all()


def test_balls_in_gamma_grow_unless_the_weights_are_normal():
    coupled = gamma_balls(TwoUnitLatch(spread=0.01), 200, 0.05, 2, seed=4)
    assert (coupled["growth"] > math.log(2)).all()
    assert (coupled["rho"] < 1).all()
    assert coupled["growing"].between(0.2, 0.6).all()
    normal = gamma_balls(TwoUnitLatch(spread=0.01, coupling=0.0), 200, 0.05, 2, seed=4)
    assert (normal["growth"] < 0).all()
    assert (normal["growing"] == 0).all()


def test_no_ball_in_gamma():
    table = gamma_balls(TwoUnitLatch(), 3, 50.0, 1, seed=4)
    assert table["share"].item() == 0
    assert math.isnan(table["growth"].item())


def test_draws_differ_and_inputs_alternate():
    first, second = (draw_two_unit_latch(TwoUnitLatch(spread=0.01), torch.Generator().manual_seed(i)) for i in (0, 1))
    assert not torch.equal(first.weight, second.weight)
    inputs = alternating_inputs(LATCH, 4, 2, 0.0, torch.Generator())
    total = inputs + module().bias.detach()
    assert total[0, 0].tolist() == pytest.approx([0.4, 2.6])
    assert total[1, 1].tolist() == pytest.approx([-0.5, 1.6])
    assert torch.equal(inputs[0], inputs[2])
    assert not alternating_inputs(TwoUnitLatch(drive=0.0), 4, 2, 0.0, torch.Generator()).any()
