"""What `gradstudy doctor` tells: versions, cores, data sets, workspace, studies."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from gradstudy.errors import GradstudyError
from gradstudy.study.catalog import all_studies
from gradstudy.study.executor import count_cores

_PACKAGES = ("gradstudy", "torch", "numpy", "scipy", "pandas", "matplotlib", "seaborn", "papermill", "nbclient",
             "ipykernel", "jupytext", "typst")  # fmt: skip
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def examine(workspace: Path) -> dict[str, Any]:
    """Facts about this installation as plain values; imports none of the packages it names."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "cores": count_cores(),
        "threads": {name: os.environ.get(name, "not set (a run pins its own)") for name in _THREADS},
        "GRADSTUDY_DATA": _data_folder(),
        "data": _data(),
        "workspace": str(workspace),
        "writable": os.access(workspace, os.W_OK),
        "studies": _studies(workspace),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _data_folder() -> str:
    """The folder of real data sets, which the commands under `data` write to."""
    named = os.environ.get("GRADSTUDY_DATA")
    if not named:
        return "not set; before a command below: export GRADSTUDY_DATA=FOLDER"
    return named if Path(named).is_dir() else f"{named} (there is no such folder yet; the commands below make it)"


def _data() -> dict[str, str]:
    from gradstudy.tasks.datasets import REGISTRY, available

    return {name: str(path) if path else f"not found; {REGISTRY[name].command}" for name, path in available().items()}


def _studies(workspace: Path) -> list[str] | str:
    """Names of the studies, or what is wrong with them."""
    try:
        return [study.slug for study in all_studies(workspace)]
    except GradstudyError as error:
        return str(error)
