"""What the tests of the tracker share: readings of a table, and all hooks that torch knows of."""

from __future__ import annotations

import pytest
import torch
from torch import nn


def _values(tracker, quantity, step=None, column="value"):
    """Name to number, of one quantity at one step (by default the last)."""
    frame = tracker.to_frame()
    rows = frame[(frame["quantity"] == quantity) & (frame["step"] == (frame["step"].max() if step is None else step))]
    return dict(zip(rows["name"], rows[column], strict=True))


def _hooks_of(model, optimizer=None):
    """Every hook on a model, its parameters and an optimizer."""
    found = []
    for module in model.modules():
        for name in vars(module):
            if name.endswith("_hooks") or "_hooks_" in name:
                found += list(getattr(module, name) or ())
    for parameter in model.parameters():
        found += list(parameter._backward_hooks or ()) + list(parameter._post_accumulate_grad_hooks or ())
    for name in vars(optimizer) if optimizer is not None else ():
        if name.endswith("_hooks"):
            found += list(getattr(optimizer, name))
    return found


class ConvNet(nn.Module):
    """Convolution, BatchNorm, ReLU in place, a residual sum in place, dropout."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.act, self.second = nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1)
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(4, 3)

    def forward(self, x):
        y = self.act(self.norm(self.first(x)))
        z = self.second(y)
        z += y
        return self.head(self.drop(self.act(z).mean((2, 3))))


class Tagger(nn.Module):
    """A recurrent encoder between linear layers."""

    def __init__(self, kind=nn.LSTM, **options):
        super().__init__()
        self.embed, self.encoder = nn.Linear(3, 5), kind(5, 6, **options)
        self.head = nn.Linear(6 * (1 + options.get("bidirectional", False)), 2)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x))[0])


@pytest.fixture
def values():
    return _values


@pytest.fixture
def hooks_of():
    return _hooks_of


@pytest.fixture
def tagger():
    torch.manual_seed(0)
    return Tagger


@pytest.fixture
def conv():
    torch.manual_seed(0)
    return ConvNet()


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.randn(8, 1, 6, 6), torch.randint(3, (8,))
