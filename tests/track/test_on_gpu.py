"""A tracker on a CUDA device.

Oracle: the same model and inputs on the CPU, in float64.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import gradstudy as gs


def tracked(model, x):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gs.track(model, optimizer) as tracker:
        for _ in range(2):
            optimizer.zero_grad()
            model(x).pow(2).mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
            tracker.step()
    return tracker.to_frame()


@pytest.mark.needs_gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: run on a machine that has one")
def test_the_same_table_on_cuda_as_on_the_cpu(tagger):
    model, x = tagger(nn.GRU).double(), torch.randn(7, 4, 3).double()
    model.head = nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True), nn.Linear(6, 1)).double()
    want, found = tracked(copy.deepcopy(model), x), tracked(model.cuda(), x.cuda())
    keys = ["step", "quantity", "name", "index", "non_finite"]
    assert want[keys].equals(found[keys])
    np.testing.assert_allclose(found["value"], want["value"], rtol=1e-8)
