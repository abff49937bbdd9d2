"""Table 1 of Pascanu, Mikolov and Bengio (ICML 2013), its rows on polyphonic music, as printed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_ARMS = ("SGD", "SGD-C", "SGD-CR")
# Train and test by arm; nats a chord.
_ICML: dict[str, tuple[tuple[float, float], ...]] = {
    "piano-midi": ((6.87, 7.56), (6.81, 7.53), (7.01, 7.46)),
    "nottingham": ((3.67, 3.80), (3.21, 3.48), (2.95, 3.36)),
    "musedata": ((8.25, 7.11), (6.54, 7.00), (6.43, 6.97)),
}
# Where version 2 on arXiv has other numbers, by other people's notes on it.
_ARXIV = {("nottingham", "SGD-CR"): (3.24, 3.46), ("musedata", "SGD-CR"): (6.51, 6.99)}


@dataclass(frozen=True)
class Setting:
    """What the paper trained on a set of music with, by other people's notes on version 2 on arXiv (second-hand).

    Args:
        hidden: sigmoid units.
        alpha: weight of Omega at t = 1, falling as 1/t.
    """

    hidden: int
    alpha: float


def setting(music: str) -> Setting:
    """The setting of a set of music; sets that the paper has not have that of Nottingham and Piano-midi."""
    return Setting(400, 0.1) if music == "musedata" else Setting(300, 0.5)


def published(music: str) -> pd.DataFrame:
    """What the paper reports of a set of music.

    Args:
        music: "nottingham", "piano-midi" or "musedata"; there are no rows of others.

    Returns:
        One row a number: `arm`: "SGD" for the paper's MSGD, "SGD-C" and "SGD-CR" for its +C and +CR; `split`: train or
        test; `nats`: mean negative log-likelihood of a chord; `source`: "pascanu2013" (ICML) or "pascanu2012" (arXiv,
        version 2, only where it differs); `source_status`: "read" or "second-hand".
    """
    read = [
        _row(arm, split, value, "pascanu2013", "read")
        for arm, pair in zip(_ARMS, _ICML.get(music, ()), strict=False)
        for split, value in zip(("train", "test"), pair, strict=True)
    ]
    noted = [
        _row(arm, split, value, "pascanu2012", "second-hand")
        for (name, arm), pair in _ARXIV.items()
        if name == music
        for split, value in zip(("train", "test"), pair, strict=True)
    ]
    return pd.DataFrame(read + noted, columns=["arm", "split", "nats", "source", "source_status"])


def _row(arm: str, split: str, nats: float, source: str, status: str) -> dict[str, str | float]:
    return {"arm": arm, "split": split, "nats": nats, "source": source, "source_status": status}
