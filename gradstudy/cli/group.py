"""The group of all commands, and what an error says and exits with."""

from __future__ import annotations

import atexit
import io
import signal
import sys
from typing import Any

import click

from gradstudy.errors import (
    GradstudyError,
    OversubscribedError,
    ParameterError,
    ParametersCellError,
    StudyHeldError,
    StudySpecError,
    UnknownClaimError,
    UnknownFigureError,
    UnknownProfileError,
    UnknownStudyError,
)

USAGE_ERRORS = (
    OversubscribedError,
    ParameterError,
    ParametersCellError,
    StudyHeldError,
    StudySpecError,
    UnknownClaimError,
    UnknownFigureError,
    UnknownProfileError,
    UnknownStudyError,
)


class _Commands(click.Group):
    """Prints gradstudy's own errors as their message; they are the explanation, a traceback would hide it."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal without σ shows its number
        # Python's end takes a moment, in which an interrupt would only spoil the exit code of what is done.
        atexit.register(_ignore_interrupts)
        try:
            return super().invoke(ctx)
        except GradstudyError as error:
            for said in (str(error), *getattr(error, "__notes__", ())):
                click.echo(f"gradstudy: {said}", err=True)
            ctx.exit(2 if isinstance(error, USAGE_ERRORS) else 1)
        except KeyboardInterrupt:
            _ignore_interrupts()  # all is stopped; a second one would only spoil the exit code
            # CPython keeps in mind an interrupt that came while code from a string ran, as it does during imports, and
            # then ends by the signal instead of the exit code, although it was caught. The next such code clears that.
            exec("")
            kept = "; what is finished is kept, `gradstudy run` goes on from there"
            click.echo(f"gradstudy: interrupted{kept if ctx.invoked_subcommand == 'run' else ''}", err=True)
            ctx.exit(130)


def _ignore_interrupts() -> None:
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradstudy")
def main() -> None:
    """Measure what the chain rule does to gradients, decide the literature's claims on it, cite the result."""
