"""Derivatives of the scalar recurrence.

Oracles: closed forms of Pascanu et al. (theory), and the detour's own closed form.
"""

from __future__ import annotations

import math

import pytest

from gradstudy.measure.curvature import scalar_derivatives
from gradstudy.theory.pascanu2013 import log_scalar_derivatives


@pytest.mark.parametrize("weight", [0.9, 1.1])
def test_against_closed_form(weight):
    for row in scalar_derivatives(weight, [2, 50, 400]).itertuples():
        want = log_scalar_derivatives(weight, int(row.t))
        assert (row.log_first, row.log_second) == pytest.approx(want, rel=1e-12)
        assert row.log_polynomial_second == pytest.approx(math.log(row.t * (row.t - 1)))


def test_the_detour_leaves_the_gradient_and_adds_curvature():
    plain, bent = (scalar_derivatives(1.1, [300], detour=detour).iloc[0] for detour in (None, 0.01))
    assert bent["log_first"] == plain["log_first"]
    added = 2 * math.log(300) + 300 * (math.log(1.1) + 0.01)
    want = math.log(math.exp(plain["log_second"]) + math.exp(added))
    assert bent["log_second"] == pytest.approx(want)
