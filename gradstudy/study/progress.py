"""Telling on stderr how a run goes: one bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gradstudy.study.outcome import Outcome

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar
    from rich.progress import TaskID

    from gradstudy.study.plan import Plan, Planned


class Lines:
    """One line when it begins, and one a run."""

    def __init__(self) -> None:
        self._done = self._total = 0

    def begin(self, plans: Sequence[Plan], total: int) -> None:
        """Say how much is to be done and why earlier runs do not count."""
        self._total = total
        for line in _reasons(plans):
            self.say(line)
        if total:
            self.say(f"{total} of {sum(len(plan.points) for plan in plans)} runs to do")

    def ended(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """Say how a run ended."""
        self._done += 1
        self.say(f"[{self._done}/{self._total}] {describe(plan, planned)}: {outcome.status}")
        if outcome.failure:
            self.say(f"    {outcome.failure}")
            if outcome.failure.remedy not in outcome.failure.message:
                self.say(f"    what to do: {outcome.failure.remedy}")
            if (planned.folder / "log").is_file():  # not where the disk was full before it began
                self.say(f"    its notebook and log: {planned.folder}")

    def again(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """Say that a run was killed and is tried again."""
        self.say(f"{describe(plan, planned)}: {outcome.status}, tried again ({outcome.failure})")

    def say(self, line: str) -> None:
        """Write a line."""
        print(line, file=sys.stderr, flush=True)


class Bar(Lines):
    """A bar with the time left; what needs reading is written above it."""

    def __init__(self, bar: RichBar) -> None:
        super().__init__()
        self._bar = bar
        self._task: TaskID | None = None

    def begin(self, plans: Sequence[Plan], total: int) -> None:
        """Show the bar when there is something to do."""
        super().begin(plans, total)
        if total:
            self._task = self._bar.add_task("running", total=total)

    def ended(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """Advance; write only what did not end well."""
        if outcome.status != "ok":
            super().ended(plan, planned, outcome)
        else:
            self._done += 1
        if self._task is not None:
            self._bar.update(self._task, completed=self._done, description=plan.study.slug)

    def say(self, line: str) -> None:
        """Write a line above the bar, as it is: no markup is read from it."""
        self._bar.console.print(line, markup=False, highlight=False)


@contextmanager
def progress() -> Iterator[Lines]:
    """The way to tell that fits where stderr goes."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield Bar(bar)


def describe(plan: Plan, planned: Planned) -> str:
    """A run in one line: study, digest, group or control, and its parameters.

    Shown are the axes of the group, what the control plants, and whatever else is not the notebook's default.
    """
    point, schema = planned.point, plan.notebook.schema
    told = {axis for group in plan.profile.grid if group.name == point.group for axis in group.over}
    told |= {name for control in plan.profile.controls if control.name == point.control for name in control.plant}
    chosen = {name: value for name, value in point.parameters.items() if name in told or value != schema[name].default}
    where = f"{point.group} as {point.control}" if point.control else point.group
    return " ".join([plan.study.slug, planned.digest[:12], where, *(f"{key}={value}" for key, value in chosen.items())])


def _reasons(plans: Sequence[Plan]) -> Iterator[str]:
    for plan in plans:
        for planned in plan.points:
            if planned.state.kind == "stale" or (planned.state.kind == "new" and planned.state.detail):
                yield f"{describe(plan, planned)}: {planned.state}"
