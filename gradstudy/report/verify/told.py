"""Verifications as a terminal shows them, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from gradstudy.report.metadata import washed
from gradstudy.report.verify.finding import Outcome, Verification

_PLACES = 10


def as_text(verification: Verification) -> str:
    """A line for what was verified, one for each finding, and one for each place that differs."""
    lines = [washed(verification.subject)]
    width = max(len(finding.part) for finding in verification.findings)
    for finding in verification.findings:
        lines.append(f"  {finding.part:{width}}  {finding.outcome}: {finding.summary}")
        lines += [f"  {'':{width}}    {_cut(place)}" for place in finding.places[:_PLACES]]
        if len(finding.places) > _PLACES:
            lines.append(f"  {'':{width}}    and {len(finding.places) - _PLACES} more places")
    if verification.outcome is not Outcome.IDENTICAL:
        lines += [f"  note: {_cut(note)}" for note in verification.notes]
    if verification.changed:
        lines.append(f"  note: {_cut(verification.changed)}")
    return "\n".join(lines)


def total(found: Sequence[Verification]) -> str:
    """The last line: how many came out how."""
    counts = Counter(one.outcome for one in found)
    words = {Outcome.DIFFERS: "different"}
    unverified = counts.pop(Outcome.UNVERIFIED, 0)
    parts = [f"{count} {words.get(outcome, str(outcome))}" for outcome, count in sorted(counts.items())]
    told = ", ".join([f"{counts.total()} verified", *([f"{unverified} not"] if unverified else [])])
    return f"{told}: {', '.join(parts)}" if parts else told


def as_json(verification: Verification) -> dict[str, Any]:
    """The same, whole."""
    findings = [
        {"part": one.part, "outcome": str(one.outcome), "summary": one.summary, "places": list(one.places)}
        for one in verification.findings
    ]
    return {
        "subject": verification.subject,
        "outcome": str(verification.outcome),
        "findings": findings,
        "notes": [*verification.notes, *([verification.changed] if verification.changed else [])],
    }


def _cut(text: str, most: int = 400) -> str:
    return washed(text[:most]) + ("…" if len(text) > most else "")
