"""What a comparison gave: identical, within a tolerance that is named, not to be made, or different, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    """Outcomes, the worst last."""

    IDENTICAL = 0
    TOLERATED = 1
    UNVERIFIED = 2
    DIFFERS = 3

    def __str__(self) -> str:
        return ("identical", "within tolerance", "not verified", "differs")[self]


EXIT_CODES = {Outcome.UNVERIFIED: 1, Outcome.DIFFERS: 3}
"""Of a command that has verified, by the worst outcome."""


@dataclass(frozen=True)
class Finding:
    """One part of what was verified.

    Args:
        part: such as "figures".
        outcome: the worst in it.
        summary: what was compared, or which tolerance was used.
        places: where it differs, one line each.
    """

    part: str
    outcome: Outcome
    summary: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """All findings on one figure or report.

    Args:
        subject: what was verified.
        findings: of its parts.
        notes: what may explain a difference.
        changed: what has changed of the study since, which a report that fits its own tables cannot show.
    """

    subject: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    changed: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst of them."""
        return worst(finding.outcome for finding in self.findings)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst outcome; identical when there is none."""
    return max(outcomes, default=Outcome.IDENTICAL)
