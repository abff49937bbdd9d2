"""The study of temporal order.

Oracle: what the sources say, told in the claims' own settings.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gradstudy.claims.registry import find
from gradstudy.study.catalog import find_study
from gradstudy.study.plan import make_plan

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("claim", ["P13", "P14"])
def test_omega_is_judged_on_memories_longer_than_plain_descent_manages(claim: str) -> None:
    # At T = 10 every arm succeeds within some hundred updates: a lead of 500 cannot be had there, whatever is true.
    groups = find_study("temporal-order", ROOT).spec.claims[claim]
    points = [planned.point for planned in make_plan(find_study("temporal-order", ROOT), "standard", ROOT).points]
    lengths = {p.parameters["length"] for p in points if p.group in groups and not p.control}
    assert lengths == {40}
    assert "At T = 40" in find(claim).setting
