"""How a run ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from gradstudy.errors import GradstudyError

Status = Literal["ok", "failed", "timeout", "oom", "killed", "interrupted", "no-data"]
STATUSES: tuple[str, ...] = get_args(Status)

_REMEDY = "\n  what to do: "
# An error's text is kept for people; a program's whole output is in the log.
_LONGEST = 4000


@dataclass(frozen=True)
class Failure:
    """What stopped a run: the exception's name, what it said, and the remedy where it named one."""

    name: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    @classmethod
    def of(cls, name: str, message: str) -> Failure:
        """A failure by the text of its exception; gradstudy's own errors carry their remedy in it."""
        return cls(name, message[:_LONGEST], message.rpartition(_REMEDY)[2] if _REMEDY in message else "")

    @classmethod
    def of_error(cls, error: BaseException) -> Failure:
        """A failure by its exception."""
        remedy = error.remedy if isinstance(error, GradstudyError) else ""
        return cls(type(error).__name__, str(error)[:_LONGEST], remedy)


@dataclass(frozen=True)
class Outcome:
    """A run's status, and why it is not `ok`."""

    status: Status
    failure: Failure | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, as in run.json."""
        return {"status": self.status, "error": asdict(self.failure) if self.failure else None}

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Outcome:
        """The outcome in a run.json."""
        if entry["status"] not in STATUSES:
            raise ValueError(f"status {entry['status']!r}")
        return cls(entry["status"], Failure(**entry["error"]) if entry["error"] else None)
