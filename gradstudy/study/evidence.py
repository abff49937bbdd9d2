"""Evidence of a run: which code of gradstudy it used, on which versions, as the run itself saw it at its end."""

from __future__ import annotations

import json
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


def gather(loaded: Iterable[str]) -> dict[str, dict[str, str]]:
    """Evidence of a process that has loaded the modules of those names."""
    names, present = set(loaded), Present()
    ours = sorted(name for name in names if name.partition(".")[0] == "gradstudy")
    versions = ["python", *(name for name in MEASURED if name in names)]
    return {
        "modules": {name: present.module(name) for name in ours},
        "versions": {name: present.version(name) for name in versions},
    }


def stamps() -> dict[str, int]:
    """When each of gradstudy's sources was written last, by module, in nanoseconds as the disk has it.

    Stamps are compared with one another and never with the clock, which may have been set back, or differ between the
    machine and its disk.
    """
    root = Path(gradstudy.__file__).parent
    return {_module(path.relative_to(root.parent)): path.stat().st_mtime_ns for path in root.rglob("*.py")}


def doubted(evidence: Mapping[str, Mapping[str, str]], before: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """Evidence in which a source counts as neither the old nor the new that was written after the run began.

    Nobody knows what of it was loaded.

    Args:
        evidence: of the run, at its end.
        before: `stamps` of when it began.
    """
    now = stamps()
    modules = {
        name: digest if now.get(name) == before.get(name) else EDITED for name, digest in evidence["modules"].items()
    }
    return {**{part: dict(found) for part, found in evidence.items()}, "modules": modules}


def write(loaded: Iterable[str], folder: str) -> None:
    """Leave the evidence in a run's folder; called inside the kernel, at the run's end."""
    write_atomic(Path(folder) / FILE, json.dumps(gather(loaded)).encode())


def take(folder: Path, before: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """The evidence that a kernel left, out of the run's folder, as far as it is beyond doubt.

    Args:
        folder: of the run.
        before: `stamps` of when it began.
    """
    path = folder / FILE
    content = json.loads(path.read_bytes())
    path.unlink()
    return doubted(content, before)


def request(folder: Path) -> str:
    """Code that makes a kernel leave its evidence; the modules are listed before this is imported."""
    return (
        "import sys as _sys; _loaded = list(_sys.modules)\n"
        f"from gradstudy.study import evidence as _evidence; _evidence.write(_loaded, {str(folder)!r})"
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


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _source(name: str) -> Path | None:
    base = Path(gradstudy.__file__).parent.joinpath(*name.split(".")[1:])
    candidates = (base / "__init__.py", base.with_name(base.name + ".py"))
    return next((path for path in candidates if path.is_file()), None)
