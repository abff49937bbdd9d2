"""time_ratios.

Oracle: a clock of our own, on which every action takes a known time.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradstudy.measure import timing


class Clock:
    """Time passes in actions only, slower and slower if there is a drift."""

    def __init__(self, drift: float = 0.0) -> None:
        self.now, self.drift = 0.0, drift
        self.ran: list[str] = []

    def action(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.ran.append(name)
            self.now += seconds * (1 + self.drift * len(self.ran))

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(timing.gc, "collect", int)
    return clock


def test_medians_over_rounds(clock: Clock) -> None:
    found = timing.time_ratios(
        clock.action("ours", 2.0), {"a": clock.action("a", 4.0), "b": clock.action("b", 1.0)}, rounds=3
    )
    assert found["ratio"].tolist() == [0.5, 2.0]
    assert found["milliseconds"].tolist() == [2000.0, 2000.0]
    assert found["baseline_milliseconds"].tolist() == [4000.0, 1000.0]
    assert found["n"].tolist() == [3, 3]
    assert clock.ran == ["ours", "a", "b"] * 4  # the first of each is not counted


def test_a_drift_cancels_in_turns_there_and_back_again(clock: Clock) -> None:
    clock.drift = 0.1
    actions = clock.action("ours", 3.0), {"a": clock.action("a", 3.0), "b": clock.action("b", 3.0)}
    found = timing.time_ratios(*actions, rounds=2, times=4)
    assert clock.ran == ["ours", "a", "b"] + ["ours", "a", "b", "b", "a", "ours"] * 4
    assert found["ratio"].tolist() == pytest.approx([1.0, 1.0], rel=1e-12)
    assert timing.time_ratios(*actions, rounds=2)["ratio"].max() < 0.999


def test_another_clock_may_tell_the_time():
    now = [0.0]

    def takes(seconds):
        return lambda: now.append(now.pop() + seconds)

    table = timing.time_ratios(takes(3), {"other": takes(2)}, rounds=3, times=2, clock=lambda: now[0])
    assert table[["ratio", "low", "high"]].to_numpy().tolist() == [[1.5, 1.5, 1.5]]
    assert table["milliseconds"].tolist() == [6000]
