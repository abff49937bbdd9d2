"""Networks of a family.

Oracles: the recurrences written out.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.models.initialisations import spectral_norm, spectral_radius
from gradstudy.models.networks import Family, draw_network, linear_network
from gradstudy.models.pascanu import PascanuRNN, slope


def generator():
    return torch.Generator().manual_seed(3)


def test_tanh_and_relu_are_nn_rnn_with_the_weights_drawn():
    before = torch.get_rng_state()
    for activation in ("tanh", "relu"):
        network = draw_network(Family(activation, "gaussian", 5, 2), generator())
        assert type(network.module) is torch.nn.RNN
        assert torch.equal(network.module.weight_hh_l0, network.weight)
        assert network.module.nonlinearity == activation
        assert not network.module.bias_ih_l0.any()
    assert torch.equal(torch.get_rng_state(), before)


def test_sigmoid_linear_and_planted_slopes_are_pre_activation():
    for family in (
        Family("sigmoid", "gaussian", 5),
        Family("linear", "gaussian", 5),
        Family("tanh", "gaussian", 5, slope=1.01),
    ):
        network = draw_network(family, generator())
        assert isinstance(network.module, PascanuRNN)
        assert network.module.gain == family.slope


def test_weight_scale_is_planted_beside_the_weight_the_network_is_said_to_have():
    network = draw_network(Family("tanh", "gaussian", 5, weight_scale=1.01), generator())
    torch.testing.assert_close(network.module.weight_hh_l0.detach(), 1.01 * network.weight)


def test_targets():
    assert spectral_radius(
        draw_network(Family("linear", "gaussian", 9, rho=1.25), generator()).weight
    ) == pytest.approx(1.25)
    # gamma is 1/4 for sigmoid: gamma sigma_1 = 0.95 asks for sigma_1 = 3.8.
    network = draw_network(Family("sigmoid", "gaussian", 9, bound=0.95), generator())
    assert spectral_norm(network.weight) == pytest.approx(3.8)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear"])
def test_slopes_by_autograd(activation):
    x = torch.linspace(-3, 3, 31).double().requires_grad_()
    phi = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda v: 1.0 * v}[activation]
    (want,) = torch.autograd.grad(phi(x).sum(), x)
    torch.testing.assert_close(slope(activation, x.detach()), want)


def test_pascanu_rnn_is_equation_2():
    network = PascanuRNN(2, 4, "sigmoid", generator=generator()).double()
    torch.manual_seed(0)
    u, x = torch.randn(3, 5, 2).double(), torch.randn(5, 4).double()
    out = network(u, x)
    for t in range(3):
        x = torch.sigmoid(x) @ network.weight_rec.T + u[t] @ network.weight_in.T + network.bias
        torch.testing.assert_close(out[t], x)


def test_a_linear_network_changes_a_gradient_by_its_rate():
    network = linear_network(-0.015, 5, 2, generator())
    start = torch.randn(1, 5, generator=generator(), dtype=torch.float64).requires_grad_()
    last = network.module(torch.ones(20, 1, 2, dtype=torch.float64), start)[-1]
    (gradient,) = torch.autograd.grad(last.sum(), start)
    assert float(gradient.norm().log()) == pytest.approx(math.log(5) / 2 - 0.015 * 20, abs=1e-12)
