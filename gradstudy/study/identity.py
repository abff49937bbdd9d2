"""Identity of a run: what was asked for. Two runs of one identity are the same run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from gradstudy.study.notebook import Notebook
from gradstudy.study.syntax import canonical, digest_of

# Raised when the meaning of a run folder changes, so that older ones are not taken for new ones.
FORMAT = 1

Data = Mapping[str, Mapping[str, str]]


def code_of(notebook: Notebook) -> list[Any]:
    """Normalized code: no prose, comments, docstrings or cell borders, and no defaults of parameters.

    The functions of a study's `lib.py` come after the notebook's own statements.
    """
    own = [statement for source, tagged in notebook.cells for statement in _statements(source, tagged)]
    return own if notebook.library is None else [*own, ["library", _statements(notebook.library, False)]]


def identity(code: list[Any], parameters: Mapping[str, Any], data: Data, threads: int) -> str:
    """Digest of a run.

    Args:
        code: of the notebook, by `code_of`.
        parameters: all of them, coerced.
        data: data set to file name to sha256.
        threads: of the run's process.

    Returns:
        64 hexadecimal digits, the name of the run's folder.
    """
    return digest_of(
        {
            "format": FORMAT,
            "code": code,
            "parameters": dict(parameters),
            "data": {name: dict(files) for name, files in data.items()},
            "threads": threads,
        }
    )


def _statements(source: str, is_parameters: bool) -> list[Any]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # IPython's own syntax (%magic, !command) counts as it is written
        return [source.strip()]
    if is_parameters:
        for statement in tree.body:
            if isinstance(statement, ast.AnnAssign):
                statement.value = None  # the value that counts is the resolved one
    return list(canonical(tree)[1].get("body", []))
