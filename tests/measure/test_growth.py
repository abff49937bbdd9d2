"""tangent_growth.

Oracles: the top of product_spectrum; closed form of a linear chain.
"""

from __future__ import annotations

import math

import torch

import gradstudy as gs
from gradstudy.measure.growth import tangent_growth


def test_a_scalar_chain_is_its_logarithm():
    chain = gs.time_chain(lambda u, s: 3 * s, torch.zeros(500, 2, 1).double(), torch.zeros(2, 1).double())
    torch.testing.assert_close(
        tangent_growth(chain, stream=torch.Generator().manual_seed(0)),
        torch.full((2,), math.log(3), dtype=torch.float64),
    )


def test_it_is_a_lower_bound_that_nears_the_top_of_the_product():
    torch.manual_seed(0)
    net = torch.nn.RNN(2, 10).double()
    with torch.no_grad():
        net.weight_hh_l0.mul_(4)
    chain = gs.time_chain(net, torch.randn(400, 3, 2).double())
    growth = tangent_growth(chain, 100, stream=torch.Generator().manual_seed(1))
    top = gs.product_spectrum(chain, start=100).log_singular_values[:, 0] / 300
    assert (growth <= top + 1e-12).all()
    # A random vector misses the top direction by a factor of sqrt(10) or so: log(1e3) / 300 is 0.023.
    assert (top - growth < 0.023).all()


def test_a_dead_chain_is_minus_infinity():
    chain = gs.time_chain(lambda u, s: 0 * s, torch.zeros(4, 1, 1), torch.ones(1, 2))
    assert torch.isneginf(tangent_growth(chain, stream=torch.Generator().manual_seed(0))).all()
