"""Two trainings as a tracker sees them, against the same quantities taken by hand from the same start."""

from __future__ import annotations

import numpy as np
import torch

from gradstudy.models.feedforward import FeedForward, draw_feedforward
from gradstudy.training.tracked import tracked_layers, tracked_states


def test_layers_against_autograd_at_the_first_step():
    table = tracked_layers(steps=2, depth=3, width=6, rows=5, seed=4)
    assert set(table["step"]) == {0, 1}
    design = FeedForward(
        "plain", "linear", 3, 6, outputs=1, nonlinearity="sigmoid", initialisation="standard", stem=False
    )
    model = draw_feedforward(design, seed=4).float()
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(4))
    (model(x) - x[:, :1]).square().mean().backward()
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    expected = [torch.cat([p.grad.flatten() for p in layer.parameters()]).norm().item() for layer in layers]
    np.testing.assert_allclose(table.loc[table["step"] == 0, "value"], expected, rtol=1e-5)
    assert expected == sorted(expected)  # sigmoid layers: the first hears least


def test_states_fade_before_training_and_the_seed_decides():
    table = tracked_states(steps=3, length=12, size=8, rows=4, every=2, seed=0)
    assert sorted(set(table["step"])) == [0, 2]
    first = table[table["step"] == 0].sort_values("index")["log_value"].to_numpy()
    assert len(first) == 13
    assert first[0] < first[-1] - 3
    again = tracked_states(steps=3, length=12, size=8, rows=4, every=2, seed=0)
    np.testing.assert_array_equal(table["log_value"], again["log_value"])
    assert not np.array_equal(
        table["log_value"], tracked_states(steps=3, length=12, size=8, rows=4, every=2, seed=1)["log_value"]
    )
