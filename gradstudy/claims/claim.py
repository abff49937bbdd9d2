"""What a claim is, and the rule that turns its estimates into a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

import pandas as pd

Tables = Mapping[str, pd.DataFrame]
Kind = Literal["theorem", "existence", "rate", "equality", "comparison"]
_STATUSES = ("read", "second-hand", "from memory", "computed here")


class Verdict(StrEnum):
    """What the records say of a claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Region:
    """The open interval of values for which the claim holds; it has an interior.

    An infinite end is no border: an estimate of -inf (a gradient that is exactly zero) lies below every finite one.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a region needs low < high, got ({self.low}, {self.high})")

    def contains(self, estimate: Estimate) -> bool:
        """Whether the whole interval of the estimate lies inside."""
        return self.margin(estimate) > 0

    def excludes(self, estimate: Estimate) -> bool:
        """Whether the whole interval of the estimate lies outside."""
        below = self.low > -math.inf and estimate.high <= self.low
        above = self.high < math.inf and estimate.low >= self.high
        return below or above

    def margin(self, estimate: Estimate) -> float:
        """How far inside the interval lies, negative as far as it reaches out; -inf if it is not a number."""
        low = estimate.low - self.low if self.low > -math.inf else math.inf
        high = self.high - estimate.high if self.high < math.inf else math.inf
        numbers = not (math.isnan(estimate.low) or math.isnan(estimate.high))
        return min(low, high) if numbers else -math.inf


@dataclass(frozen=True)
class Estimate:
    """A number with its interval: 95 % over replicates, or the numerical error bound of a deterministic result.

    With several conditions the intervals are simultaneous (Bonferroni). `n` counts replicates, never steps or rows.
    Where nothing can be said, the interval's ends are NaN.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    condition: str = ""

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an interval needs low <= high, got ({self.low}, {self.high})")


@dataclass(frozen=True)
class Control:
    """A run in which one cause is planted, and the verdict the same measure must then give."""

    name: str
    plants: str
    expect: Verdict


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement, fixed before its first standard run.

    Args:
        id: the dossier's or the lecture's key, such as "P1".
        source: BibTeX key and place, "pascanu2013: Eq. 6-7".
        source_status: "read" in the primary text, "second-hand", "from memory" or "computed here"; more may follow.
        kind: "theorem" is a search for a witness against, "existence" for one in favour, of which one is enough; the
            others say what was estimated, a "rate", an "equality" within the region or a "comparison" of two arms, of
            which every estimate counts.
        statement: the claim in one sentence.
        setting: what was run, and what was scaled down or differs from the source.
        region: the values for which the claim holds.
        replicate: what one independent draw is.
        measure: tables to estimates, one a condition.
        controls: planted causes with the verdict they must give.
    """

    id: str
    source: str
    source_status: str
    kind: Kind
    statement: str
    setting: str
    region: Region
    replicate: str
    measure: Callable[[Tables], tuple[Estimate, ...]]
    controls: tuple[Control, ...]

    def __post_init__(self) -> None:
        # A word that is not known would be read as another one.
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"claim {self.id} of the kind {self.kind!r}; needed is one of {', '.join(get_args(Kind))}, which says "
                "whether one estimate is enough to decide; correct the word"
            )
        if not self.source_status.startswith(_STATUSES):
            raise ValueError(
                f"claim {self.id} with the source_status {self.source_status!r}; needed is one that begins with "
                f"one of {', '.join(_STATUSES)}, by which a citation says whose words they are; correct the word"
            )


def decide(claim: Claim, estimates: tuple[Estimate, ...]) -> Verdict:
    """Verdict of a claim on its estimates.

    SUPPORTED when every interval lies inside the region, REFUTED when one lies wholly outside, else INCONCLUSIVE.
    An existence claim is SUPPORTED by one witness and never REFUTED by a search that found none. Estimates that are
    not numbers leave any claim INCONCLUSIVE.
    """
    if not estimates or any(math.isnan(e.low) or math.isnan(e.high) for e in estimates):
        return Verdict.INCONCLUSIVE
    if claim.kind == "existence":
        found = any(claim.region.contains(e) for e in estimates)
        return Verdict.SUPPORTED if found else Verdict.INCONCLUSIVE
    if any(claim.region.excludes(e) for e in estimates):
        return Verdict.REFUTED
    if all(claim.region.contains(e) for e in estimates):
        return Verdict.SUPPORTED
    return Verdict.INCONCLUSIVE
