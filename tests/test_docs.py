"""Everything written is executed: code in README and docs, examples in docstrings.

Oracle: Python itself; an example's printed result is compared by doctest.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
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


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0


def test_every_public_measurement_has_an_example():
    measurements = ("gradient_flow", "gradient_norms", "jacobian_spectra", "lyapunov_exponents", "product_spectrum")
    for name in ("time_chain", "chains", *measurements):
        function = (
            importlib.import_module("gradstudy.chains.hooked").chains if name == "chains" else getattr(gradstudy, name)
        )
        assert ">>>" in function.__doc__, name
