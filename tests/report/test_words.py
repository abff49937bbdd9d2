"""Oracle: numbers as a person would write them."""

from __future__ import annotations

import math

import pytest

from gradstudy.claims.claim import Estimate, Region
from gradstudy.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.27, "0.270"),
        (-0.0123456, "−0.0123"),
        (12345.6, "12346"),
        (1e-9, "1.00×10⁻⁹"),
        (-7.123e-15, "−7.12×10⁻¹⁵"),
        (3.5e12, "3.50×10¹²"),
        (0.0, "0"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "not a number"),
    ],
)
def test_numbers(value: float, text: str):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("triple", "text"),
    [
        ((0.2701, 0.2603, 0.2799), "0.270 (0.260 to 0.280)"),
        ((-0.0004, -0.021, 0.02), "0.000 (−0.021 to 0.020)"),
        ((123.4, 80.2, 170.9), "123 (80 to 171)"),
        ((0.5, 0.5, 0.5), "0.500"),
        ((0.5, -math.inf, 0.7), "0.500 (−∞ to 0.700)"),
        ((1e-12, -1e-12, 3e-12), "1.00×10⁻¹² (−1.00×10⁻¹² to 3.00×10⁻¹²)"),
    ],
)
def test_intervals_to_the_digits_that_their_width_is_worth(triple: tuple[float, float, float], text: str):
    assert words.interval(*triple) == text
    assert words.estimate(Estimate(*triple, 5, "nats")) == f"{text} nats"


@pytest.mark.parametrize(
    ("region", "text"),
    [
        (Region(low=0.01), "above 0.01"),
        (Region(high=1e-9), "below 10⁻⁹"),
        (Region(-0.05, 0.05), "between −0.05 and 0.05"),
        (Region(high=-2.5e-7), "below −2.5×10⁻⁷"),
        (Region(high=0.0), "below 0"),
        (Region(low=1 / 3), "above 0.3333333333333333"),
    ],
)
def test_regions(region: Region, text: str):
    assert words.region(region) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("NoDataError: /home/ann/data/x.mat is gone\nmore", "NoDataError: …/x.mat is gone"),
        ("see https://example.org/a/b/c", "see https://example.org/a/b/c"),
        ("C:\\Users\\ann\\x.csv", "…/x.csv"),
        ("a/b is not a path of this machine", "a/b is not a path of this machine"),
    ],
)
def test_failures_name_no_folder(text: str, kept: str):
    assert words.failure(text) == kept


def test_an_estimate_without_an_interval_says_so():
    assert words.interval(-0.00183, math.nan, math.nan) == "−0.00183 (no interval)"
