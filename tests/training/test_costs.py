"""What training a population costs.

Oracles: the loop that is timed gives the weights that the population gives; a profiler's count of bytes.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy.measure import baselines
from gradstudy.measure.timing import peak_tensor_bytes
from gradstudy.training import costs
from gradstudy.training.backpropagation import gradients, unroll
from gradstudy.training.costs import Training, cost_of_population, cost_of_state_norms
from gradstudy.training.population import Shape, draw_population


@pytest.mark.parametrize("module", ["rnn", "lstm", "gru"])
def test_population_and_loop_are_one_training(module):
    """But for clip_grad_norm_'s 1e-6, torch's second bias being held."""
    trainer, batch = costs._case(Training(module, 7, 20, 5, 3), seed=0)
    networks = [trainer.population.modules(place) for place in range(3)]
    for recurrent, _ in networks:
        recurrent.bias_hh_l0.requires_grad_(False)
    optimizers = [
        torch.optim.SGD([p for part in network for p in part.parameters() if p.requires_grad], lr=0.01)
        for network in networks
    ]
    for _ in range(5):
        trainer.update(batch)
        baselines.update_one_after_another(networks, optimizers, batch[0], batch[1][:, 0])
    for place, (recurrent, head) in enumerate(networks):
        ours = trainer.population.modules(place)
        torch.testing.assert_close(ours[0].weight_hh_l0, recurrent.weight_hh_l0, rtol=0, atol=1e-7)
        torch.testing.assert_close(ours[1].weight, head.weight, rtol=0, atol=1e-7)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("cost", [cost_of_population, cost_of_state_norms])
def test_ratios_are_of_the_times_told(cost, precision):
    table = cost(Training("gru", 5, 12, 3, 2, precision), rounds=3)
    assert len(table) == 1
    assert table["n"].tolist() == [3]
    assert (table[["ratio", "milliseconds", "baseline_milliseconds"]] > 0).all(axis=None)


@pytest.mark.parametrize("cell", ["tanh", "lstm", "gru"])
def test_memory_is_linear_in_the_length(cell):
    population = draw_population(Shape(cell, 2, 10, 1), "default", range(4), seed=0)

    def update(length):
        batch = torch.zeros(4, length, 5, 2).double(), torch.zeros(4, 1, 5, 1).double()
        unrolled = unroll(population.shape, (4, length, 5))
        return lambda: gradients(population, unrolled, batch, slice(-1, None), "gaussian")

    def held(length):
        return peak_tensor_bytes(lambda: unroll(population.shape, (4, length, 5)))

    # What an update holds beside its memory does not grow at all.
    assert peak_tensor_bytes(update(40)) == peak_tensor_bytes(update(80))
    assert held(160) - held(80) == 2 * (held(80) - held(40)) > 0
