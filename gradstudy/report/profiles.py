"""What a reader of a profile's reports must know of it."""

from __future__ import annotations

_OTHERS = {
    "quick": "smaller and shorter runs of the same notebook",
    "paper": "the paper's own setting, larger and longer runs of the same notebook",
}


def note(profile: str) -> str:
    """How a profile differs from the one that a study's method is written for; empty for that one, standard."""
    if profile not in _OTHERS:
        return ""
    return f"This is the {profile} profile: {_OTHERS[profile]}; the method describes the standard profile."
