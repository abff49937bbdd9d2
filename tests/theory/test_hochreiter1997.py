"""Bounds of Hochreiter and Schmidhuber 1997.

Oracles: products measured on logistic networks; equality where every slope is 1/4 and every weight w_max.
"""

from __future__ import annotations

import math

import pytest
import torch

import gradstudy as gs
from gradstudy.models.pascanu import PascanuRNN
from gradstudy.theory.hochreiter1997 import log_global_flow_bound, log_local_flow_bound


def logistic_chain(weight, steps, *, gain=1.0, still=False):
    """A logistic network; still: held at x = 0, where every slope is 1/4."""
    net = PascanuRNN(1, len(weight), "sigmoid", gain=gain).double()
    with torch.no_grad():
        net.weight_rec.copy_(weight)
        net.bias.copy_(-0.5 * gain * weight.sum(1))
        if still:
            net.weight_in.zero_()
    inputs = torch.randn(steps, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return gs.time_chain(net, inputs)


def log_flows(chain):
    """Largest entry and spectral norm of d x_q / d x_0, in nats, for every q."""
    product = torch.eye(chain.states.shape[-1], dtype=torch.float64)
    for t in range(1, chain.length + 1):
        product = chain.jacobian(t)[0] @ product
        yield t, product.abs().max().log().item(), torch.linalg.matrix_norm(product, 2).log().item()


@pytest.mark.parametrize("weight", [0.5, -3.9, 8.0])
def test_the_local_bound_holds_and_is_attained(weight):
    matrix = torch.tensor([[weight]], dtype=torch.float64)
    for steps, flow, _ in log_flows(logistic_chain(matrix, 30)):
        assert flow <= log_local_flow_bound(weight, steps) + 1e-9
    for steps, flow, _ in log_flows(logistic_chain(matrix, 30, still=True)):
        assert flow == pytest.approx(log_local_flow_bound(weight, steps), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_global_bound_holds_for_random_networks(seed):
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for steps, entry, norm in log_flows(logistic_chain(weight, 40)):
        assert max(entry, norm) <= log_global_flow_bound(weight.abs().max().item(), 8, steps) + 1e-9


def test_equal_weights_at_the_steepest_slope_come_within_the_paper_s_factor_n():
    for steps, entry, norm in log_flows(logistic_chain(torch.full((6, 6), 0.6, dtype=torch.float64), 40, still=True)):
        bound = log_global_flow_bound(0.6, 6, steps)
        assert norm == pytest.approx(bound - math.log(6), abs=1e-9)
        assert entry == pytest.approx(bound - 2 * math.log(6), abs=1e-9)


def test_steeper_units_break_the_bound():
    weight = torch.full((6, 6), 0.6, dtype=torch.float64)
    *_, (steps, entry, _) = log_flows(logistic_chain(weight, 40, gain=1.2, still=True))
    assert entry > log_global_flow_bound(0.6, 6, steps) + 1


def test_it_falls_with_the_steps_below_four_over_n_and_degenerate_cases():
    assert log_global_flow_bound(0.6, 6, 200) < log_global_flow_bound(0.6, 6, 100) < 0
    assert log_global_flow_bound(4 / 6, 6, 100) == pytest.approx(math.log(6))
    assert log_local_flow_bound(4.0, 100) == 0
    assert log_local_flow_bound(0.0, 3) == -math.inf
    assert log_local_flow_bound(0.0, 0) == 0
    assert log_global_flow_bound(0.0, 6, 0) == math.log(6)
