"""Everything written is executed: code in README and docs, examples in docstrings.

Oracle: Python itself; an example's printed result is compared by doctest.
"""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

import gradstudy

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Importing these starts something; they hold no examples.
NOT_IMPORTED = {"gradstudy.study.child"}


def modules():
    found = pkgutil.walk_packages(gradstudy.__path__, "gradstudy.")
    return sorted(m.name for m in found if m.name not in NOT_IMPORTED and "._studies" not in m.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page.name}, block {number}", "exec"), namespace)


def blocks_for_other_libraries():
    """Blocks that need libraries gradstudy does not, and a session of their own: place and code."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(r"^```python needs=\S+\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            yield f"{page.name}, line {text[: block.start()].count(chr(10)) + 1}", block[1]


FOR_OTHERS = list(blocks_for_other_libraries())


@pytest.mark.parametrize(("place", "code"), FOR_OTHERS, ids=[place for place, _ in FOR_OTHERS])
def test_code_for_another_library_runs(place, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, place, "exec"), {"__name__": "page"})


def test_there_are_blocks_for_four_libraries():
    assert len(FOR_OTHERS) == 4


def test_the_study_written_out_in_the_architecture_runs(tmp_path):
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = text[text.index("A whole study of your own") :]
    files = re.findall(r"^```(?:yaml|py)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    folder = tmp_path / "studies" / "bias-sweep"
    folder.mkdir(parents=True)
    for name, content in zip(("study.yaml", "notebook.py", "figures.py"), files, strict=False):
        (folder / name).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "gradstudy.cli", "run", "bias-sweep", "--workspace", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "reports" / "quick" / "bias-sweep" / "figures" / "reach.png").exists()


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0


def test_every_public_measurement_has_an_example():
    measurements = ("gradient_flow", "gradient_norms", "jacobian_spectra", "lyapunov_exponents", "product_spectrum")
    measurements += ("convolution_spectrum", "gradient_correlation", "jacobian_moments")
    for name in ("time_chain", "depth_chain", "chains", *measurements):
        function = (
            importlib.import_module("gradstudy.chains.hooked").chains if name == "chains" else getattr(gradstudy, name)
        )
        assert ">>>" in function.__doc__, name
