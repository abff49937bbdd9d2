"""The README's picture of `gs.track`: python docs/pictures/tracked.py, some seconds on one thread."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import gradstudy as gs
from gradstudy.plot import style


class Remember(nn.Module):
    """Says at the end what came first."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(2, 48, batch_first=True), nn.Linear(48, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, time, 2)` to `(batch, 2)`."""
        return self.head(self.rnn(x)[0][:, -1])


def deep(steps: int = 40):  # type: ignore[no-untyped-def]
    """A plain network of twelve sigmoid layers."""
    torch.manual_seed(0)
    layers = [module for _ in range(11) for module in (nn.Linear(64, 64), nn.Sigmoid())]
    model = nn.Sequential(nn.Linear(16, 64), nn.Sigmoid(), *layers, nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gs.track(model, optimizer, every={"gradient": 1}) as tracker:
        for _ in range(steps):
            x = torch.randn(64, 16)
            loss = (model(x) - x[:, :1]).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            tracker.step(loss=loss)
    return tracker


def recurrent(steps: int = 600):  # type: ignore[no-untyped-def]
    """A recurrent network that learns to remember its first input over 40 steps of noise."""
    torch.manual_seed(0)
    model = Remember()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with gs.track(model, optimizer, every={"time": 12}) as tracker:
        for _ in range(steps):
            x = torch.randn(64, 40, 2)
            x[:, 1:] *= 0.1
            loss = (model(x) - x[:, 0]).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            tracker.step(loss=loss)
    return tracker


def main(path: Path, *, short: bool = False) -> None:
    """Train both and draw them side by side."""
    torch.set_num_threads(1)
    with style.context():
        figure, (left, right) = style.subplots(1, 2, width=style.FULL, height=2.9)
        deep(*([2] if short else [])).plot("flow", left)
        recurrent(*([13] if short else [])).plot("time", right)
        left.set_ylabel("layer")
        figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"))
