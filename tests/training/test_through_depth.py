"""Networks followed over their training.

Oracles: networks of a known rate; the same training repeated step by step by hand; closed forms of what is planted.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure.block_gradients import block_gradients, layer_weights
from gradstudy.models.feedforward import FeedForward
from gradstudy.models.randomness import generator
from gradstudy.tasks.study_images import study_images
from gradstudy.training import through_depth
from gradstudy.training.draws import Source
from gradstudy.training.images import Recipe, training_error, updates

DESIGN = FeedForward("plain", "linear", 5, 8, input_shape=(1, 6, 6), normalisation="batch")


def lesson(epochs=2, **options):
    data = study_images("gratings", 40, 6, seed=0)
    return through_depth.Lesson(data.images, data.labels, Recipe(epochs, 10), probe=20, **options)


def test_a_network_is_measured_at_its_moments_and_looks_change_nothing():
    source, plan = Source(DESIGN, 0), lesson(moments=(0, 1, 3), snapshots=4)
    seen = through_depth.follow_all(source, 1, plan, seed=0)[0]
    network, stream = source(0), generator(0, 0, "order of images")
    first = [weight.detach().clone() for weight in layer_weights(network)]
    assert list(seen.gradients) == ["at init", "after 1", "after 3", "after all"]
    for done in updates(network, plan.images, plan.labels, plan.recipe, stream):
        if done == 3:
            expected = block_gradients(network, plan.images[:20], plan.labels[:20])["log_state"]
            np.testing.assert_allclose(seen.gradients["after 3"]["log_state"], expected, atol=1e-12)
        if done == 4:
            moved = [
                float((w.detach() - v).norm() / v.norm()) for w, v in zip(layer_weights(network), first, strict=True)
            ]
            np.testing.assert_allclose(np.exp(seen.layers["log_update"]), moved, rtol=1e-9)
    loss, error = training_error(network, plan.images, plan.labels)
    assert seen.curve[-1] == {"epoch": 2, "loss": pytest.approx(loss), "error": pytest.approx(error)}
    assert [point["epoch"] for point in seen.curve] == [0, 1, 2]
    assert len(seen.settled) == 5
    assert all(0 <= share <= 1 for share in seen.settled)


@pytest.mark.parametrize("growth", [-0.3, 0.02])
def test_planted_networks_have_their_rate_at_every_moment(growth):
    source = Source(DESIGN, 0, growth=growth)
    rates = through_depth.gradient_rates(through_depth.follow_all(source, 2, lesson(0), seed=0))
    assert sorted(rates["moment"].unique()) == ["after 1", "after 100", "after all", "at init"]
    np.testing.assert_allclose(rates[["rate", "weight_rate"]], growth, atol=1e-12)
    np.testing.assert_allclose(rates["log_ratio"], 4 * growth, atol=1e-12)


def test_planted_networks_move_their_layers_at_their_rate():
    plan = lesson()
    hardly = through_depth.Lesson(plan.images, plan.labels, plan.recipe.hardly(epochs=1), probe=20)
    seen = through_depth.follow_all(Source(DESIGN, 0, growth=-0.2), 2, hardly, seed=0)
    rates, profile = through_depth.layer_tables(seen)
    # Four steps of 1e-6: what they change in the gradients of later steps is of that order.
    np.testing.assert_allclose(rates["update_rate"], 0.2, atol=1e-4)
    assert rates["settling_rate"].isna().all()
    assert len(profile) == 7
    np.testing.assert_allclose(np.diff(profile["log_update"].iloc[1:-1]), 0.2, atol=1e-4)


def test_settling_is_read_from_snapshots():
    codes = torch.randn(2, 30, 4, generator=torch.Generator().manual_seed(0))
    features = {step: [codes[int(step >= 10)], codes[int(step >= 30)]] for step in (0, 10, 20, 30, 40)}
    assert through_depth.settled_after(features) == [0.25, 0.75]
    assert through_depth.settled_after({}) == []


@pytest.mark.parametrize("rate", [-0.3, 0.0])
def test_planted_settling_is_found(rate):
    plan = lesson(epochs=10, snapshots=20)
    found = through_depth.planted_settling(rate, 20, plan, 40, seed=0)
    # Each share is off by a snapshot at most, uniformly: 0.05 / sqrt(12) a block, slope times 20 blocks over 40 draws.
    spread = 0.05 / math.sqrt(12) * 20 / math.sqrt(665) / math.sqrt(40)
    assert found["settling_rate"].mean() == pytest.approx(rate, abs=4 * spread)
    assert found["update_rate"].isna().all()


def test_planted_errors_are_exact():
    found = through_depth.planted_errors(0.01, 10, lesson(), 3, seed=0)
    assert found["error"].tolist() == [0.2] * 3
    assert found["levelled"].all()


def test_a_loss_has_levelled_if_it_hardly_changes_at_the_end():
    def curve(losses):
        points = [{"epoch": epoch, "loss": loss, "error": loss / 10} for epoch, loss in losses.items()]
        return through_depth.Followed(curve=points)

    followed = [
        curve({0: 2.0, 4: 1.0, 5: 0.9, 8: 0.5, 10: 0.496}),
        curve({0: 2.0, 4: 1.0, 5: 0.5, 8: 0.5, 10: 0.494}),
    ]
    errors, means = through_depth.error_tables(followed)
    assert errors["change"].tolist() == pytest.approx([0.008, 0.012])
    assert errors["levelled"].tolist() == [True, False]
    assert errors["change_before_drop"].tolist() == pytest.approx([0.1, 0.5])
    assert errors["error"].tolist() == pytest.approx([0.0496, 0.0494])
    assert means["epoch"].tolist() == [0, 4, 5, 8, 10]
    assert means["loss"].iloc[-1] == pytest.approx(0.495)
    unseen = through_depth.error_tables([curve({0: 2.0, 10: 1.0})] * 2)[0]
    assert unseen["change"].isna().all()
    assert not unseen["levelled"].any()


def test_blocks_of_two_layers_are_ready_with_their_last():
    design = FeedForward("residual", "linear", 3, 8, input_shape=(1, 6, 6), block_layers=2, normalisation="batch")
    seen = through_depth.follow_all(Source(design, 0, single=True), 2, float32(lesson(snapshots=2)), seed=0)
    rates, profile = through_depth.layer_tables(seen)
    assert profile["settled"].notna().tolist() == [False, False, True, False, True, False, True, False]
    assert rates["settling_rate"].notna().all()
    assert through_depth.gradient_rates(seen).notna().all(axis=None)


def float32(plan):
    return through_depth.Lesson(plan.images.float(), plan.labels, plan.recipe, plan.probe, snapshots=plan.snapshots)
