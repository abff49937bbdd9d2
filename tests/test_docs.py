"""Everything written is executed: code in README and docs, examples in docstrings.

Oracle: Python itself; an example's printed result is compared by doctest.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

import gradstudy
from gradstudy.cli import main

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
    """Blocks that need libraries gradstudy does not: libraries, place and code."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(r"^```python needs=(\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text[: block.start()].count("\n") + 1
            yield block[1].split(","), f"{page.name}, line {line}", block[2]


FOR_OTHERS = list(blocks_for_other_libraries())
INSTALLED = [block for block in FOR_OTHERS if all(importlib.util.find_spec(name) for name in block[0])]


def test_code_for_other_libraries_parses_and_uses_what_there_is():
    assert len(FOR_OTHERS) >= 4
    for _, place, code in FOR_OTHERS:
        for node in ast.walk(ast.parse(code, place)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gs":
                assert hasattr(gradstudy, node.attr), place


if INSTALLED:  # tests of blocks whose libraries are not here do not exist, rather than being skipped

    @pytest.mark.parametrize(("needs", "place", "code"), INSTALLED, ids=[place for _, place, _ in INSTALLED])
    def test_code_for_another_library_runs(needs, place, code, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        exec(compile(code, place, "exec"), {"__name__": "page"})


def test_the_commands_of_the_how_to_on_an_own_study_run_one_after_the_other(tmp_path):
    text = (ROOT / "docs" / "how-to-own-study.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 11
    found = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in commands:
        if "decay.png" in command:  # the picture that was mailed
            shutil.copy(tmp_path / "reports" / "standard" / "my-study" / "figures" / "decay.png", tmp_path)
        done = subprocess.run(
            shlex.split(command, comments=True),
            cwd=tmp_path,
            env={**os.environ, "PATH": found},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


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


def commands():
    """Every call of gradstudy in a shell block, with its place."""
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            for line in re.split(r"\n|&&", block):
                if (words := shlex.split(line, comments=True))[:1] == ["gradstudy"]:
                    yield page.name, words[1:]


COMMANDS = list(commands())


def test_there_are_commands_in_the_pages():
    assert {"README.md", "index.md", "how-to-own-study.md", "how-to-cite-and-verify.md", "how-to-cluster.md"} == {
        page for page, _ in COMMANDS
    }


# Those that take seconds are executed in tests/study and tests/report; what stands here is that none is misspelt.
@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{page}: {' '.join(words)}" for page, words in COMMANDS])
def test_a_command_of_a_page_has_these_arguments(page, words):
    name, *arguments = words
    command = main.commands[name]
    context = command.make_context(name, list(arguments))
    slugs = context.params.get("slugs") or (context.params.get("slug"),)
    known = {path.parent.name for path in ROOT.glob("studies/*/study.yaml")} | {"my-study", "STUDY", None}
    assert set(slugs) <= known


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
