"""Python files of a study's folder, loaded by path: `figures.py` and `claims.py`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from gradstudy.errors import ReportError


def load(path: Path) -> ModuleType:
    """The module of a file in a study's folder, executed anew.

    Raises:
        ReportError: it cannot be imported.
    """
    # A name of its own for every file, so that two studies' files never meet in sys.modules.
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"gradstudy_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _named(name, module), _no_bytecode():
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # an exit would end gradstudy with the code of a success
            raise ReportError(
                f"{path.parent.name}/{path.name} raised {type(error).__name__}: {error}",
                needed="a module that can be imported",
                why="the study's figures cannot be drawn, or its claims not decided",
                remedy=f"mend {path.name}; the former report is untouched",
            ) from error
    return module


@contextmanager
def _named(name: str, module: ModuleType) -> Iterator[None]:
    sys.modules[name] = module  # dataclasses and the like look their module up while it is imported
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _no_bytecode() -> Iterator[None]:
    # An installed study's folder may be read-only, and identical folders must stay identical.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
