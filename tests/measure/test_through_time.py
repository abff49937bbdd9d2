"""Tables of gradients through time.

Oracles: linear networks, all of whose numbers are known; autograd through the unrolled module; forget gates by hand.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure import dense, through_time
from gradstudy.measure.error_decay import log_components, rate
from gradstudy.models.networks import outputs
from gradstudy.models.recurrent import Design, gate_bias
from gradstudy.tasks.adding import Adding
from gradstudy.training.stages import Plan, planted_rate, stages, vanilla_stages
from gradstudy.training.supervised import Exam, Schedule

LENGTH = 24


def plan(updates=0, networks=3):
    return Plan(Adding(), Exam(Adding(), 2), Schedule(updates, LENGTH, 4, 0.01, optimizer="adam"), networks, 7)


def drawn(architecture, updates=0, **options):
    return stages(Design(architecture, "default", 6, 2, **options), plan(updates))


def networks(measured):
    return through_time.networks(measured, through_time.weight_gradients(measured))


def components(measured, **options):
    return through_time.components(through_time.weight_gradients(measured), **options)


@pytest.mark.parametrize("architecture", ["rnn", "gru", "textbook-gru", "lstm"])
def test_the_rate_is_that_of_autograd_through_a_start_state(architecture):
    subject = drawn(architecture)["before"][0]
    start = subject.start.clone().requires_grad_()
    output = outputs(subject.network.module, subject.inputs, start)
    (gradient,) = torch.autograd.grad(subject.last_error(output), start)
    want = (gradient.norm(dim=1) / subject.cotangent.norm(dim=1)).log().mean() / LENGTH
    assert rate(subject) == pytest.approx(want.item(), abs=1e-12)
    assert log_components(subject)[1][0].abs().max() == 0


def test_linear_networks():
    found = networks(planted_rate(-0.05, 6, plan()))
    for column in ("rate", "exponent"):
        np.testing.assert_allclose(found[column], -0.05, atol=1e-12)
    np.testing.assert_allclose(found["largest_sigma_1"], math.exp(-0.05))
    np.testing.assert_allclose(found["log_first_over_last"], -0.05 * (LENGTH - 1), atol=1e-12)
    assert found[["cell_path_rate", "jacobian_rate", "log_gate", "retention", "saturation"]].isna().all(axis=None)
    spectrum = through_time.exponents(planted_rate(-0.05, 6, plan()))
    np.testing.assert_allclose(spectrum[["exponent", "low", "high"]], -0.05, atol=1e-12)
    assert spectrum["position"].tolist() == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    curve = through_time.signals(planted_rate(-0.05, 6, plan()))
    np.testing.assert_allclose(curve["log_component"], -0.05 * curve["lag"], atol=1e-12)


def test_the_weight_gradient_is_autograds_and_its_shares_add_up():
    subjects = drawn("gru")
    row = networks(subjects).iloc[0]
    module, subject = subjects["before"][0].network.module, subjects["before"][0]
    (gradient,) = torch.autograd.grad(subject.criterion(module(subject.inputs)[0]), [module.weight_hh_l0])
    assert row["log_weight_gradient"] == pytest.approx(gradient.norm().log().item(), abs=1e-10)
    assert 0 < row["cancellation"] <= 1
    table = components(subjects, most=LENGTH)
    assert table["absolute_share"].sum() == pytest.approx(1, abs=1e-12)
    assert table["share"].sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(table["beyond"], table["absolute_share"][::-1].cumsum()[::-1], atol=1e-12)
    far = table.loc[table["lag"] >= LENGTH / 2, "absolute_share"].sum()
    assert networks(subjects)["far_share"].mean() == pytest.approx(far, abs=1e-12)


@pytest.mark.parametrize(("architecture", "gate"), [("lstm", 1), ("gru", 1), ("textbook-gru", 1)])
def test_pinned_gates(architecture, gate):
    found = networks(drawn(architecture, gate_bias=1.5))
    value = 1 / (1 + math.exp(-1.5))
    np.testing.assert_allclose(found["retention"], value)
    np.testing.assert_allclose(found["log_gate"], math.log(value))
    if architecture == "lstm":
        np.testing.assert_allclose(found[["cell_path_rate", "best_cell_rate"]], math.log(value))
        product = dense.jacobian_product(drawn(architecture, gate_bias=1.5)["before"][0].chain())
        norms = torch.linalg.matrix_norm(product, ord=2).log().mean().item() / LENGTH
        assert found["jacobian_rate"][0] == pytest.approx(norms, abs=1e-12)
    slipped = networks(drawn(architecture, gate_bias=1.5, gate_slip=0.1))
    np.testing.assert_allclose(slipped["retention"], value * math.exp(-0.1))
    np.testing.assert_allclose(slipped["log_gate"], math.log(value))  # what it is said to be


def test_the_cell_path_is_the_product_of_the_forget_gates():
    subject = drawn("lstm")["before"][1]
    module, total = subject.network.module, 0.0
    hidden = torch.cat([torch.zeros(1, 2, 6, dtype=torch.float64), module(subject.inputs)[0].detach()])
    rows = slice(6, 12)
    for t in range(LENGTH):
        drive = subject.inputs[t] @ module.weight_ih_l0[rows].T + hidden[t] @ module.weight_hh_l0[rows].T
        total += torch.sigmoid(drive + gate_bias(module)).log().mean().item()
    found = networks(drawn("lstm")).iloc[1]
    assert found["cell_path_rate"] == pytest.approx(total / LENGTH, abs=1e-12)


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru", "textbook-gru"])
def test_saturation(architecture):
    assert (networks(drawn(architecture))["saturation"] == 0).all()
    measured = drawn(architecture, **({"gate_bias": 40.0} if architecture == "lstm" else {}))
    module, rows = measured["before"][0].network.module, {"rnn": slice(0, 6)}.get(architecture, slice(12, 18))
    with torch.no_grad():  # the state's, or the candidate's, tanh is 1; a cell that keeps everything adds it up
        next(value for name, value in module.named_parameters() if name.startswith("bias"))[rows] = 50.0
        if architecture == "lstm":
            module.bias_ih_l0[:6] = 50.0
    # The cell is t after t steps: tanh(2) = 0.964, tanh(3) = 0.995.
    want = 1 - 2 / LENGTH if architecture == "lstm" else 1.0
    assert networks(measured)["saturation"][0] == pytest.approx(want)


def test_stages_lie_below_each_other():
    both = drawn("lstm", updates=2)
    for table in (networks, through_time.signals, through_time.exponents, components):
        found = table(both)
        assert found.columns[0] == "stage"
        assert found["stage"].value_counts().nunique() == 1
        assert list(found["stage"].unique()) == ["before", "after"]


def test_pairs_hold_both_rates_of_one_index():
    measured, vanilla = drawn("lstm", updates=2), vanilla_stages(["default", "orthogonal"], 6, plan(2))
    found = through_time.pairs(measured, vanilla)
    assert len(found) == 2 * 2 * 3
    chosen = found[(found["stage"] == "after") & (found["reference"] == "orthogonal")]
    assert chosen["rate"].tolist() == [rate(subject) for subject in measured["after"]]
    assert chosen["reference_rate"].tolist() == [rate(subject) for subject in vanilla["orthogonal"]["after"]]


def test_the_flow_of_a_linear_network():
    found = through_time.flow(planted_rate(-0.05, 6, plan()), most=8)
    assert found["t"].unique().tolist() == list(range(0, LENGTH + 1, 3))
    assert (found["k"] <= found["t"]).all()
    np.testing.assert_allclose(found["log_flow"], -0.05 * (found["t"] - found["k"]), atol=1e-12)
    np.testing.assert_allclose(networks(planted_rate(-0.05, 6, plan()))["decay_length"], 20, rtol=1e-6)
