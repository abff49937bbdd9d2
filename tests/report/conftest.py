"""The made-up study, and its report built once."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gradstudy.claims import registry
from gradstudy.study.catalog import Study, find_study

SCRIPT = Path(__file__).with_name("synthetic.py")


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    spec = importlib.util.spec_from_file_location("synthetic_study", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def workspace(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    synthetic.build_report(folder)
    return folder


@pytest.fixture
def study(synthetic: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The made-up study in a workspace of its own, to be run, with its claims."""
    monkeypatch.setattr(registry, "known", lambda: synthetic.CLAIMS)
    synthetic.write_runnable(tmp_path / "studies" / "made-up")
    return find_study("made-up", tmp_path)


@pytest.fixture
def own(synthetic: ModuleType, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workspace, to be changed, whose study and claims are found."""
    folder = tmp_path / "own"
    shutil.copytree(workspace, folder)
    synthetic.write_runnable(folder / "studies" / "made-up")
    monkeypatch.setattr(registry, "known", lambda: synthetic.CLAIMS)
    return folder


@pytest.fixture(scope="session")
def report(workspace: Path) -> Path:
    return workspace / "reports" / "standard" / "made-up"
