"""The workspace: the folder that holds `studies/`, `runs/` and `reports/`."""

from __future__ import annotations

import os
from pathlib import Path

from gradstudy.errors import StorageError
from gradstudy.records import storage_error, write_atomic

VARIABLE = "GRADSTUDY_WORKSPACE"
# What the smallest run needs: its notebook, log and records.
_PROBE_BYTES = 100_000


def find_workspace(given: Path | None = None) -> Path:
    """The folder given, else that of `GRADSTUDY_WORKSPACE`, else the current one."""
    return Path(given or os.environ.get(VARIABLE) or ".").expanduser().resolve()


def study_runs(workspace: Path, slug: str) -> Path:
    """Folder of a study's runs."""
    return workspace / "runs" / slug


def run_folder(workspace: Path, slug: str, digest: str) -> Path:
    """Folder of one run."""
    return study_runs(workspace, slug) / digest


def profile_reports(workspace: Path, profile: str) -> Path:
    """Folder of a profile's reports."""
    return workspace / "reports" / profile


def check_writable(workspace: Path) -> None:
    """Find out before anything starts whether the workspace takes files.

    Raises:
        StorageError: it is full or read-only, or no folder.
    """
    probe = workspace / "runs" / f".probe-{os.getpid()}"
    try:
        write_atomic(probe, bytes(_PROBE_BYTES))
        probe.unlink(missing_ok=True)  # `clean` may have been quicker
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(probe, error) from error
