"""The command line. Every command imports what it needs when it is called, so that `--help` is quick."""

from __future__ import annotations

from gradstudy.cli.citation import cite
from gradstudy.cli.cleaning import clean
from gradstudy.cli.group import main
from gradstudy.cli.ledger import claims
from gradstudy.cli.runs import plan, report, run
from gradstudy.cli.studies import doctor, init, list_, notebook
from gradstudy.cli.verification import verify

__all__ = ["main"]

for command in (list_, plan, run, report, claims, cite, verify, init, notebook, clean, doctor):
    main.add_command(command)
