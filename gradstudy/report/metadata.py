"""What the readers of metadata share: text from somebody else's file, fit for a terminal and for one line."""

from __future__ import annotations

EDITION = "gradstudy "
"""What precedes the version where a format has no key of its own for it."""

MOST_PIXELS = 50_000_000
"""More than any picture of ours has; a small file may claim many more, and take all memory when it is shown."""

_MOST = 20_000


class UnreadableError(Exception):
    """Why a file is not taken for one of ours, said behind its name."""


def washed(text: str) -> str:
    """One line; every sign that would move a terminal's cursor, or turn the text around, is shown as a substitute.

    Raises:
        UnreadableError: it is longer than any caption.
    """
    if len(text) > _MOST:
        raise UnreadableError(f"holds a text of {len(text)} signs where a caption belongs")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split()))
