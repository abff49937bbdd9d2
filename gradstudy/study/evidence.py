"""Evidence of a run: which code of gradstudy it used, on which versions, as the run itself saw it at its end."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import gradstudy
from gradstudy.records import write_atomic
from gradstudy.study.syntax import digest

FILE = "evidence.json"
MEASURED = ("torch", "numpy", "scipy")
ABSENT = "absent"
EDITED = "edited during the run"


class Present:
    """Modules and versions as they are now, each looked up once; needs no import of what it describes."""

    def __init__(self) -> None:
        self._modules: dict[str, str] = {}
        self._versions: dict[str, str] = {"python": platform.python_version()}

    def module(self, name: str) -> str:
        """Digest of a gradstudy module's source, docstrings apart."""
        if name not in self._modules:
            path = _source(name)
            self._modules[name] = digest(path.read_text(encoding="utf-8")) if path else ABSENT
        return self._modules[name]

    def version(self, name: str) -> str:
        """Version of Python or of an installed distribution."""
        if name not in self._versions:
            try:
                self._versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                self._versions[name] = ABSENT
        return self._versions[name]


def gather(loaded: Iterable[str], since: float = math.inf) -> dict[str, dict[str, str]]:
    """Evidence of a process that has loaded the modules of those names.

    Args:
        loaded: names of modules.
        since: when the process was started, in seconds since 1970. Of a source that was written later nobody knows
            what was loaded; it counts as neither the old nor the new.
    """
    names, present = set(loaded), Present()
    ours = sorted(name for name in names if name.partition(".")[0] == "gradstudy")
    versions = ["python", *(name for name in MEASURED if name in names)]
    return {
        "modules": {name: EDITED if _edited(name, since) else present.module(name) for name in ours},
        "versions": {name: present.version(name) for name in versions},
    }


def write(loaded: Iterable[str], folder: str, since: float) -> None:
    """Leave the evidence in a run's folder; called inside the kernel, at the run's end."""
    write_atomic(Path(folder) / FILE, json.dumps(gather(loaded, since)).encode())


def take(folder: Path) -> Any:
    """The evidence that a kernel left, out of the run's folder."""
    path = folder / FILE
    content = json.loads(path.read_bytes())
    path.unlink()
    return content


def request(folder: Path, since: float) -> str:
    """Code that makes a kernel started then leave its evidence; the modules are listed before this is imported."""
    return (
        "import sys as _sys; _loaded = list(_sys.modules)\n"
        f"from gradstudy.study import evidence as _evidence; _evidence.write(_loaded, {str(folder)!r}, {since!r})"
    )


def changes(stored: Mapping[str, Any], present: Present) -> tuple[str, ...]:
    """What differs now from the stored evidence, modules and versions by name; empty when nothing does."""
    versions = [
        f"{name} {was} -> {present.version(name)}"
        for name, was in stored["versions"].items()
        if present.version(name) != was
    ]
    modules = [name for name, was in stored["modules"].items() if present.module(name) != was]
    return (*versions, *modules)


def merge(evidences: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """One evidence for several runs; where they differ, all that was seen, sorted and joined by commas."""
    seen = _seen(evidences)
    return {part: {name: ", ".join(sorted(found[name])) for name in sorted(found)} for part, found in seen.items()}


def differing(evidences: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Versions and modules of which several runs used more than one; none that a run did not use at all."""
    seen = _seen(evidences)
    return tuple(
        name for part in ("versions", "modules") for name, found in sorted(seen[part].items()) if len(found) > 1
    )


def _seen(evidences: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, set[str]]]:
    seen: dict[str, dict[str, set[str]]] = {"modules": {}, "versions": {}}
    for evidence in evidences:
        for part, found in seen.items():
            for name, value in evidence[part].items():
                found.setdefault(name, set()).add(value)
    return seen


def _edited(name: str, since: float) -> bool:
    path = _source(name)
    return path is not None and path.stat().st_mtime > since


def _source(name: str) -> Path | None:
    base = Path(gradstudy.__file__).parent.joinpath(*name.split(".")[1:])
    candidates = (base / "__init__.py", base.with_name(base.name + ".py"))
    return next((path for path in candidates if path.is_file()), None)
