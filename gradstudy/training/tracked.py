"""Two trainings watched by a tracker: a deep plain network, and a recurrent one that must remember."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.models.feedforward import FeedForward, draw_feedforward
from gradstudy.track.tracker import Tracker


class _Remember(nn.Module):
    """Says at the end what came first."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(2, size, batch_first=True), nn.Linear(size, 2)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, 2)` to `(batch, 2)`."""
        return self.head(self.rnn(x)[0][:, -1])


def tracked_layers(*, steps: int, depth: int = 11, width: int = 64, rows: int = 64, seed: int) -> pd.DataFrame:
    """Gradient norms by layer while a plain network of sigmoid layers learns, by SGD, to copy its first input.

    Returns:
        The layers' gradients of the tracker's table; see `Tracker.to_frame`.
    """
    design = FeedForward(
        "plain", "linear", depth, width, outputs=1, nonlinearity="sigmoid", initialisation="standard", stem=False
    )
    model = draw_feedforward(design, seed=seed).float()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    stream = torch.Generator().manual_seed(seed)
    with Tracker(model, optimizer, every={"gradient": 1}) as tracker:
        for _ in range(steps):
            x = torch.randn(rows, width, generator=stream)
            _step(model, optimizer, tracker, x, x[:, :1])
    return tracker.to_frame().query("quantity == 'layer_gradient'").reset_index(drop=True)


def tracked_states(
    *, steps: int, length: int = 40, size: int = 48, rows: int = 64, every: int = 12, seed: int
) -> pd.DataFrame:
    """Norm of dL/dh_t at every timestep while an nn.RNN learns, by Adam, to say at the end what came first.

    The later inputs are noise of a tenth of the first one's size.

    Returns:
        The hidden states' gradients of the tracker's table; see `Tracker.to_frame`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _Remember(size)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = torch.Generator().manual_seed(seed)
    with Tracker(model, optimizer, every={"time": every}) as tracker:
        for _ in range(steps):
            x = torch.randn(rows, length, 2, generator=stream)
            x[:, 1:] *= 0.1
            _step(model, optimizer, tracker, x, x[:, 0])
    return tracker.to_frame().query("quantity == 'hidden_gradient'").reset_index(drop=True)


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, tracker: Tracker, x: Tensor, y: Tensor) -> None:
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    tracker.step(loss=loss)
