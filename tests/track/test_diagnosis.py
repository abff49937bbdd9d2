"""Findings.

Oracles: tables made by hand just inside and just outside each threshold; networks built to have one fault.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy.track import diagnosis
from gradstudy.track.history import History
from gradstudy.track.norms import Norm
from gradstudy.track.row import norm_row, plain_row, size_row


def table(*steps) -> pd.DataFrame:
    history = History(10_000, None)
    for number, rows in enumerate(steps):
        history.add(number, rows)
    return history.frame()


def states(ratio, length=11):
    """|dL/dh_1| / |dL/dh_T| as given; dL/dh_0 and what lies between are of no account."""
    norms = [99.0, ratio, *[1.0] * (length - 1)]
    return [norm_row("hidden_gradient", "rnn", Norm(math.log(v) if v else -math.inf), t) for t, v in enumerate(norms)]


def layers(*pairs, **norms):
    norms |= dict(pairs)
    return [size_row("layer_gradient", name, math.log(v) if v else -math.inf) for name, v in norms.items()]


CASES = {
    "vanishing through time in layer rnn": (states(0.9e-6), states(1.1e-6), "warning"),
    "exploding through time in layer rnn": (states(1.1e3), states(0.9e3), "warning"),
    "small gradient in layer a": (layers(a=0.9e-4, b=1.0), layers(a=1.1e-4, b=1.0), "warning"),
    "exploding gradient": (
        [size_row("total_gradient", "", math.log(1100))],
        [size_row("total_gradient", "", math.log(900))],
        "error",
    ),
    "vanished gradient": (
        [size_row("total_gradient", "", math.log(0.9e-7))],
        [size_row("total_gradient", "", math.log(1.1e-7))],
        "warning",
    ),
    "update too large in layer a": (
        [size_row("layer_update", "a", math.log(0.11))],
        [size_row("layer_update", "a", math.log(0.09))],
        "warning",
    ),
    "update too small in layer a": (
        [size_row("layer_update", "a", math.log(0.9e-5))],
        [size_row("layer_update", "a", math.log(1.1e-5))],
        "warning",
    ),
    "dead units in a": (
        [plain_row("dead_fraction", "a", 0.51)],
        [plain_row("dead_fraction", "a", 0.5)],
        "warning",
    ),
    "saturated units in a": (
        [plain_row("saturated_fraction", "a", 0.51)],
        [plain_row("saturated_fraction", "a", 0.5)],
        "warning",
    ),
    "a saturated gate in a": (
        [plain_row("gate_saturation", "a", 0.51)],
        [plain_row("gate_saturation", "a", 0.5)],
        "note",
    ),
    "clipping at nearly every step": (
        [size_row("clip_factor", "", math.log(0.5))],
        [size_row("clip_factor", "", math.log(0.99999))],
        "note",
    ),
    "parameter without gradient: a": (
        [norm_row("parameter_gradient", "a", Norm(math.nan))],
        [norm_row("parameter_gradient", "a", Norm(-math.inf))],
        "warning",
    ),
    "the loss is nan": ([plain_row("loss", "", math.nan)], [plain_row("loss", "", 1.0)], "error"),
    "non-finite gradient of parameter a": (
        [norm_row("parameter_gradient", "a", Norm(math.inf, 3))],
        [norm_row("parameter_gradient", "a", Norm(0.0))],
        "error",
    ),
}


def test_layers_are_compared_with_their_own_kind_first():
    """A query's gradient is small by nature: the head's beside it says nothing on depth, other queries' do."""
    names = ("0.query", "1.query", "head")
    (across,) = diagnosis.findings(table(layers(*zip(names, (1e-5, 2e-5, 1.0), strict=True))))
    assert "different kinds" in across.remedy
    (within,) = diagnosis.findings(table(layers(*zip(names, (1e-5, 0.5, 1.0), strict=True))))
    assert within.what.startswith("small gradient in layer 0.query")
    assert "of that of layer 1.query" in within.what
    assert within.remedy.startswith("normalise")


@pytest.mark.parametrize("what", CASES)
def test_each_finding_comes_beyond_its_threshold_and_not_before(what):
    beyond, before, severity = CASES[what]
    (finding,) = diagnosis.findings(table(beyond, beyond, beyond))
    assert finding.what.startswith(what)
    assert finding.severity == severity
    assert finding.evidence
    assert finding.remedy
    assert diagnosis.findings(table(before, before, before)) == ()


def test_one_outlier_decides_nothing_but_one_infinity_does():
    calm, wild = [size_row("total_gradient", "", 0.0)], [size_row("total_gradient", "", 20.0)]
    assert diagnosis.findings(table(calm, calm, calm, wild, calm, calm)) == ()
    broken = [norm_row("parameter_gradient", "a", Norm(math.inf, 2))]
    (finding,) = diagnosis.findings(table(broken, *[[norm_row("parameter_gradient", "a", Norm(0.0))]] * 20))
    assert "2 entries, first at step 0, at 1 steps" in finding.evidence


def test_an_explosion_that_clipping_holds_is_none():
    rows = [size_row("total_gradient", "", math.log(1e6)), size_row("clip_factor", "", math.log(1e-6))]
    assert [finding.what for finding in diagnosis.findings(table(rows))] == ["clipping at nearly every step"]


def test_an_exact_zero_is_named_as_such():
    (finding,) = diagnosis.findings(table(states(0.0)))
    assert "|dL/dh_1| is exactly 0 of |dL/dh_11|" in finding.what
    (finding,) = diagnosis.findings(table(layers(a=0.0, b=1.0)))
    assert "exactly 0" in finding.what


def test_the_most_severe_comes_first_and_reads_in_three_lines():
    rows = [plain_row("loss", "", math.inf), size_row("clip_factor", "", -1.0), *states(1e-9)]
    found = diagnosis.findings(table(rows))
    assert [finding.severity for finding in found] == ["error", "warning", "note"]
    assert [line.split(":")[0].strip() for line in str(found[1]).splitlines()] == ["warning", "evidence", "what to try"]


@pytest.mark.parametrize(
    ("log_value", "text"),
    [(-46.05, "1.0e-20"), (math.log(9.96e-8), "1.0e-7"), (math.log(0.25), "0.25"), (800.0, "2.7e347")],
)
def test_numbers_are_written_in_digits_that_no_double_holds(log_value, text):
    assert diagnosis._power(log_value) == text


def test_a_network_that_forgets_is_found():
    torch.manual_seed(0)
    rnn, head = nn.RNN(1, 8), nn.Linear(8, 1)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(0.1 * torch.eye(8))
    model = nn.ModuleDict({"rnn": rnn, "head": head})
    with gs.track(model) as tracker:
        for _ in range(3):
            head(rnn(torch.randn(21, 4, 1))[0][-1]).sum().backward()
            tracker.step()
    (finding,) = [found for found in tracker.findings() if "through time" in found.what]
    # Twenty links of at most 0.1 each.
    assert finding.what.startswith("vanishing through time in layer rnn: |dL/dh_1| is")
    exponent = int(finding.what.split("e-")[1].split()[0])
    assert 20 <= exponent < 30
