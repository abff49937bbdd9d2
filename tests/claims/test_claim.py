"""Oracle: the verdict rule of docs/architecture.md, case by case."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradstudy.claims.claim import Claim, Estimate, Region, Verdict, decide

IN, OUT, ACROSS = (0.2, 0.3), (-0.3, -0.2), (-0.1, 0.1)


def claim(kind: str = "rate", region: Region = Region(0.0, 1.0)) -> Claim:  # noqa: B008
    return Claim("T", "s", "read", kind, "x", "y", region, "run", lambda _: (), ())  # type: ignore[arg-type]


def estimates(*intervals: tuple[float, float]) -> tuple[Estimate, ...]:
    return tuple(Estimate((low + high) / 2, low, high, 8, "nats") for low, high in intervals)


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([IN], Verdict.SUPPORTED),
        ([IN, IN], Verdict.SUPPORTED),
        ([OUT], Verdict.REFUTED),
        ([IN, OUT], Verdict.REFUTED),
        ([ACROSS, OUT], Verdict.REFUTED),
        ([ACROSS], Verdict.INCONCLUSIVE),
        ([IN, ACROSS], Verdict.INCONCLUSIVE),
        ([(0.0, 0.5)], Verdict.INCONCLUSIVE),  # the region is open: touching its border is not inside
        ([(-0.5, 0.0)], Verdict.REFUTED),
        ([(1.0, 2.0)], Verdict.REFUTED),
        ([(-1.0, 2.0)], Verdict.INCONCLUSIVE),
        ([(math.nan, 0.5)], Verdict.INCONCLUSIVE),
        ([OUT, (0.1, math.nan)], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("kind", ["rate", "theorem", "equality", "comparison"])
def test_interval_against_region(kind: str, intervals: list[tuple[float, float]], verdict: Verdict):
    assert decide(claim(kind), estimates(*intervals)) is verdict


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([OUT, IN], Verdict.SUPPORTED),
        ([OUT], Verdict.INCONCLUSIVE),
        ([ACROSS], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
    ],
)
def test_one_witness_is_enough_and_none_refutes_nothing(intervals: list[tuple[float, float]], verdict: Verdict):
    assert decide(claim("existence"), estimates(*intervals)) is verdict


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_wider_interval_never_decides_more(scale: float):
    region = Region(low=0.0)
    for middle in (-0.4, -0.1, 0.1, 0.4):
        narrow, wide = (decide(claim(region=region), estimates((middle - r, middle + r))) for r in (0.2, 0.2 + scale))
        assert wide is Verdict.INCONCLUSIVE or wide is narrow


def test_a_word_that_would_be_read_as_another_is_refused():
    with pytest.raises(ValueError, match="claim T of the kind 'existance'; needed is one of theorem, existence, rate"):
        claim("existance")
    with pytest.raises(ValueError, match="source_status 'own'; needed is one that begins with one of read, second-han"):
        replace(claim(), source_status="own")
    assert replace(claim(), source_status="computed here; the form is second-hand")


def test_a_region_has_an_interior():
    for low, high in ((1.0, 1.0), (2.0, 1.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="low < high"):
            Region(low, high)


@pytest.mark.parametrize(
    ("region", "interval", "verdict"),
    [
        (Region(high=-0.01), (-math.inf, -math.inf), Verdict.SUPPORTED),  # a gradient that is exactly zero vanishes
        (Region(high=-0.01), (-math.inf, 0.0), Verdict.INCONCLUSIVE),
        (Region(low=0.01), (-math.inf, -math.inf), Verdict.REFUTED),
        (Region(low=0.01), (math.inf, math.inf), Verdict.SUPPORTED),
        (Region(), (-math.inf, math.inf), Verdict.SUPPORTED),
        (Region(-1.0, 1.0), (-math.inf, math.inf), Verdict.INCONCLUSIVE),
    ],
)
def test_an_infinite_end_of_a_region_is_no_border(region: Region, interval: tuple[float, float], verdict: Verdict):
    assert decide(claim(region=region), (Estimate(0.0, *interval, 8, "nats"),)) is verdict


def test_an_interval_that_stands_on_its_head_is_refused():
    with pytest.raises(ValueError, match="low <= high"):
        Estimate(0.0, 0.3, 0.2, 8, "nats")
