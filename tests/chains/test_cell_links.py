"""Jacobians of a callable cell, many links in one batch.

Oracle: `torch.func.jacrev` of the cell, one row and one link at a time.
"""

from __future__ import annotations

import pytest
import torch

import gradstudy as gs
from gradstudy import errors
from gradstudy.chains import links as module


def gaussian(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


WEIGHT = gaussian(4, 4)


def plain(u, s):
    return torch.tanh(s @ WEIGHT.T + u)


def check(chain, one_row):
    """All links against jacrev of `one_row(row, t, state)`."""
    found = chain.links.jacobians(1, chain.length)
    assert found.shape == (chain.length - 1, *chain.states.shape[1:], chain.states.shape[2])
    for t in range(2, chain.length + 1):
        for row in range(chain.states.shape[1]):
            want = torch.func.jacrev(lambda s, row=row, t=t: one_row(row, t, s))(chain.states[t - 1, row])
            torch.testing.assert_close(found[t - 2, row], want, rtol=0, atol=1e-14)


def test_links_side_by_side_are_one_link_of_a_larger_batch():
    inputs = gaussian(6, 3, 4, seed=1)
    chain = gs.time_chain(plain, inputs, torch.zeros(3, 4).double())
    side = chain.links.abreast(2, 5)
    assert (side.length, side.states.shape) == (1, (2, 9, 4))
    want = torch.cat([chain.jacobian(t) for t in (3, 4, 5)])
    torch.testing.assert_close(side.jacobians(0, 1)[0], want, rtol=0, atol=1e-15)
    check(chain, lambda row, t, s: plain(inputs[t - 1, row], s))


def test_many_links_cost_few_calls_and_pieces_do_not_show(monkeypatch):
    calls = []
    inputs = gaussian(40, 2, 4, seed=1)
    chain = gs.time_chain(lambda u, s: calls.append(len(s)) or plain(u, s), inputs, torch.zeros(2, 4).double())
    calls.clear()
    whole = chain.links.jacobians(0, 40)
    assert calls == [80, 80]  # once to see that it repeats the states, once to differentiate
    monkeypatch.setattr(module, "_TOGETHER", 7 * 2 * 16)
    assert torch.equal(chain.links.jacobians(0, 40), whole)


def test_inputs_that_broadcast_over_the_batch_or_have_none():
    for inputs in (gaussian(6, 1, 4), gaussian(6, 4), gaussian(6)):
        chain = gs.time_chain(plain, inputs, gaussian(3, 4, seed=2))
        check(chain, lambda row, t, s, inputs=inputs: plain(inputs[t - 1].reshape(-1), s))


def test_a_cell_made_for_one_batch_size_is_taken_link_by_link():
    scale = gaussian(3, 4, seed=5)
    inputs = gaussian(6, 3, 4, seed=1)
    chain = gs.time_chain(lambda u, s: plain(u, scale * s), inputs, torch.zeros(3, 4).double())
    check(chain, lambda row, t, s: plain(inputs[t - 1, row], scale[row] * s))


def test_a_cell_that_takes_another_batch_for_other_rows_is_found_out():
    scale = gaussian(1000, 4, seed=5)
    inputs = gaussian(6, 3, 4, seed=1)
    chain = gs.time_chain(lambda u, s: plain(u, scale[: len(s)] * s), inputs, gaussian(3, 4, seed=2))
    check(chain, lambda row, t, s: plain(inputs[t - 1, row], scale[row] * s))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_cell_that_was_trained_after_the_chain_was_made_is_refused(dtype):
    cell = torch.nn.RNNCell(3, 4, dtype=dtype)
    inputs, state = torch.randn(5, 2, 3, dtype=dtype), torch.randn(2, 4, dtype=dtype)
    chain = gs.time_chain(cell, inputs, state)
    kept = chain.jacobian(2)
    inputs.zero_(), state.zero_()  # the chain has its own
    torch.testing.assert_close(chain.jacobian(2), kept, rtol=0, atol=0)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.mul_(1 + 100 * torch.finfo(dtype).eps ** 0.75)
    vector, block = torch.ones(2, 4, dtype=dtype), torch.ones(2, 4, 3, dtype=dtype)
    measured = [
        lambda: chain.jacobian(2),
        lambda: chain.jvp(2, vector),
        lambda: chain.jvp(2, block),
        lambda: chain.vjp(2, vector),
        lambda: chain.vjp(2, block),
        lambda: gs.gradient_norms(chain, lambda out: out[-1].sum()),
        lambda: gs.jacobian_spectra(chain),
    ]
    for call in measured:
        with pytest.raises(errors.WeightsChangedError, match="no longer maps"):
            call()
