"""cost_of_tracking.

Oracle: the steps of training, counted, and a clock that runs in steps of training and in measuring alone.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradstudy.measure import timing
from gradstudy.track import costs, parameters


@pytest.mark.parametrize(("every", "ratio"), [(1, 1.5), (10, 1.05)])
def test_a_round_holds_its_share_of_measured_steps(monkeypatch: pytest.MonkeyPatch, every: int, ratio: float) -> None:
    clock, step, measured = [0.0], costs.baselines.training_step, parameters.norms

    def timed_step(model: nn.Module, *rest: object) -> torch.Tensor:
        clock[0] += 1.0
        return step(model, *rest)

    def timed_norms(tensors: list[torch.Tensor]) -> object:
        clock[0] += 0.5
        return measured(tensors)

    monkeypatch.setattr(costs.baselines, "training_step", timed_step)
    monkeypatch.setattr(parameters, "norms", timed_norms)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(timing.gc, "collect", int)
    found = costs.cost_of_tracking(every=every, batch=2, rounds=1).set_index("baseline")
    assert found.loc["training step without", "ratio"] == pytest.approx(ratio)
    assert ("naive hook a parameter" in found.index) == (every == 1)
    assert found["milliseconds"].iloc[0] == pytest.approx(1e4 * ratio)
