"""Training with shared weights and without.

Oracles: a single network written out and trained by torch.optim.SGD and clip_grad_norm_; torch's RNN; closed forms of
what is planted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gradstudy.models.shared_matrices import Matrices
from gradstudy.models.unfolded import Design
from gradstudy.tasks.two_sequence import TwoSequence
from gradstudy.training import shared_weights
from gradstudy.training.shared_weights import Lesson, compare, draw_members, sgd_step, train

LESSON = Lesson(Design(Matrices(5), 4, drive=0.5), TwoSequence(informative=1), (0.1, 1.0, 4.0), 12, 6)


def alone(member, links, inputs):
    """The logits of one member, written out."""
    w, u, b, r, o = member
    h = torch.zeros(inputs.shape[1], w.shape[-1])
    for step in range(inputs.shape[0]):
        at = step % links
        h = torch.tanh(h @ w[at, 0].T + inputs[step] @ u[at, 0].T + b[at, 0])
    return (h @ r[0, 0] + o[0, 0])[:, 0]


@pytest.mark.parametrize("threshold", [None, 0.05])
@pytest.mark.parametrize("sharing", ["tied", "independent"])
def test_updates_against_torchs_optimizer(sharing, threshold):
    members = draw_members(LESSON, sharing, 2, 0)
    links = len(members.networks.recurrent)
    assert links == (1 if sharing == "tied" else 4)
    which, rate = 4, 1.0  # draw 1 at the second learning rate
    single = [w.detach()[:, which : which + 1].clone().requires_grad_() for w in members.weights]
    optimizer = torch.optim.SGD(single, lr=rate)
    rates, stream = torch.tensor(LESSON.rates).repeat(2), torch.Generator().manual_seed(0)
    for _ in range(12):
        x, y = LESSON.task.draw(4, 6, stream)
        inputs, targets = x.float()[:, None].expand(4, 6, 6, 1), y[-1, :, 0].float().expand(6, 6)
        losses = sgd_step(members, (inputs, targets), rates, threshold)
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            alone(single, links, x.float()), y[-1, :, 0].float()
        )
        loss.backward()
        if threshold is not None:
            torch.nn.utils.clip_grad_norm_(single, threshold)
        optimizer.step()
        assert float(losses[which]) == pytest.approx(loss.item(), rel=1e-4)
    for mine, theirs in zip(members.weights, single, strict=True):
        torch.testing.assert_close(mine[:, which : which + 1], theirs, atol=2e-5, rtol=1e-4)


def test_both_kinds_start_alike_and_meet_the_same_sequences():
    tied, independent = (draw_members(LESSON, sharing, 3, 7) for sharing in ("tied", "independent"))
    assert torch.equal(tied.networks.recurrent[0], independent.networks.recurrent[0])
    assert torch.equal(tied.readout, independent.readout)
    assert torch.equal(tied.networks.recurrent[:, 0], tied.networks.recurrent[:, 2])  # one draw, two learning rates
    assert not torch.equal(tied.networks.recurrent[:, 0], tied.networks.recurrent[:, 3])
    more = draw_members(LESSON, "tied", 5, 7)
    assert torch.equal(more.networks.recurrent[:, :9], tied.networks.recurrent)


def test_a_member_that_is_lost_leaves_the_others_alone():
    sound, spoilt = (draw_members(LESSON, "tied", 2, 0) for _ in range(2))
    spoilt.readout.data[:, 1] = torch.nan
    rates, stream = torch.tensor(LESSON.rates).repeat(2), torch.Generator().manual_seed(0)
    for _ in range(3):
        x, y = LESSON.task.draw(4, 6, stream)
        batch = x.float()[:, None].expand(4, 6, 6, 1), y[-1, :, 0].float().expand(6, 6)
        first, second = (sgd_step(members, batch, rates, 1.0) for members in (sound, spoilt))
    assert torch.isnan(second[1])
    others = [0, 2, 3, 4, 5]
    torch.testing.assert_close(first[others], second[others])


def test_an_easy_task_is_learnt_and_a_wild_learning_rate_is_told():
    easy = Lesson(Design(Matrices(8), 2, drive=1.0), TwoSequence(informative=1), (1e-6, 0.5), 150, 10)
    wild = Lesson(Design(Matrices(8), 8), TwoSequence(informative=1), (1e3,), 20, 10)
    for sharing in ("tied", "independent"):
        outcomes = train(easy, sharing, 4, seed=0)
        assert outcomes["failed"].tolist() == [[True, False]] * 4
        assert not outcomes["ruined"].any()
        assert not outcomes["jumped"].any()
        outcomes = train(wild, sharing, 12, seed=0)
        assert outcomes["jumped"].sum() >= 9
        assert outcomes["ruined"].sum() >= 3


def test_the_tables_hold_the_shares():
    by_draw, by_rate = compare(LESSON, 4, seed=1)
    for sharing in ("tied", "independent"):
        outcomes = train(LESSON, sharing, 4, seed=1)
        for outcome in shared_weights.OUTCOMES:
            happened = outcomes[outcome].double().numpy()
            np.testing.assert_array_equal(by_draw[by_draw["sharing"] == sharing][outcome], happened.mean(1))
            np.testing.assert_array_equal(by_rate[by_rate["sharing"] == sharing][outcome], happened.mean(0))
    assert by_rate["learning_rate"].tolist() == [0.1, 1.0, 4.0] * 2
    assert (by_rate["n"] == 4).all()


def test_accidents_happen_to_their_share_and_to_recurrent_networks_alone():
    calm = replace(LESSON, rates=(0.01, 0.02, 0.03, 0.04, 0.05), updates=3)
    by_draw, _ = compare(replace(calm, accidents=0.2), 4, seed=1)
    shares = by_draw.pivot(index="network", columns="sharing", values="ruined")
    np.testing.assert_allclose(shares["tied"], 0.2)
    assert not shares["independent"].any()
    jumped = by_draw.pivot(index="network", columns="sharing", values="jumped")
    np.testing.assert_allclose(jumped["tied"] - jumped["independent"], 0.2)
    both, _ = compare(replace(calm, accidents=0.0), 4, seed=1)
    tied, beside = (both[both["sharing"] == sharing].drop(columns="sharing") for sharing in ("tied", "independent"))
    np.testing.assert_array_equal(tied.to_numpy(), beside.to_numpy())


def test_the_same_seed_trains_the_same_and_nothing_is_drawn_globally():
    before = torch.get_rng_state()
    first, again, other = (compare(LESSON, 3, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.equals(again)
    assert not first.equals(other)
