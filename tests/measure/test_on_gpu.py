"""Chains of modules on a CUDA device.

Oracle: the same module and inputs on the CPU, in float64.
"""

from __future__ import annotations

import pytest
import torch

import gradstudy as gs

MEASURES = {
    "gradient_norms": lambda chain: gs.gradient_norms(chain, lambda out: out[-1].pow(2).sum()).log_norm,
    "jacobian_spectra": lambda chain: gs.jacobian_spectra(chain).singular_values,
    "lyapunov_exponents": lambda chain: gs.lyapunov_exponents(chain, burn_in=3).exponents,
    "product_spectrum": lambda chain: gs.product_spectrum(chain).log_singular_values,
    "temporal_components": lambda chain: gs.temporal_components(chain, lambda out: out[-1].pow(2).sum()).log_norm,
    "gradient_flow": lambda chain: gs.gradient_flow(chain).log_norm,
    "omega": lambda chain: gs.pascanu_omega(chain, lambda out: out[-1].pow(2).sum()).detach(),
}


@pytest.mark.needs_gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: run on a machine that has one")
@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
@pytest.mark.parametrize("name", MEASURES)
def test_the_same_numbers_on_cuda_as_on_the_cpu(kind, name):
    torch.manual_seed(0)
    net, x = kind(3, 6, num_layers=2, dtype=torch.float64), torch.randn(20, 2, 3, dtype=torch.float64)
    want = [MEASURES[name](gs.time_chain(net, x, layer=layer)) for layer in (0, 1)]
    found = [MEASURES[name](gs.time_chain(net.cuda(), x.cuda(), layer=layer)) for layer in (0, 1)]
    for one, other in zip(found, want, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-8, atol=1e-8)
