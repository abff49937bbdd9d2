"""A study's notebook: percent-format text, read by jupytext."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradstudy.errors import StudySpecError
from gradstudy.study.parameters import Schema, parse_schema

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


@dataclass(frozen=True)
class Notebook:
    """The text of a notebook and what is read from it.

    Args:
        text: the file as it stands.
        cells: sources of the code cells in order, each with whether it is the parameters cell.
        schema: the parameters.
    """

    text: str
    cells: tuple[tuple[str, bool], ...]
    schema: Schema


def read_notebook(path: Path) -> Notebook:
    """Notebook of a file in percent format.

    Raises:
        StudySpecError: there is no such file, or it is not text.
        ParametersCellError: its parameters cell is not the schema it must be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudySpecError(
            f"{path} cannot be read: {error}",
            needed="the study's notebook as UTF-8 text in percent format",
            why="the notebook is what a run executes",
            remedy="put notebook.py beside study.yaml",
        ) from error
    code = [cell for cell in to_node(text).cells if cell.cell_type == "code"]
    cells = tuple((cell.source, _is_parameters(cell)) for cell in code)
    return Notebook(text, cells, parse_schema([source for source, tagged in cells if tagged], path))


def to_node(text: str) -> Any:
    """Notebook node of percent-format text, with the kernelspec that papermill asks for."""
    import jupytext

    node = jupytext.reads(text, fmt="py:percent")
    node.metadata["kernelspec"] = dict(KERNELSPEC)
    # papermill writes its notes under this key into every cell.
    node.metadata.pop("papermill", None)
    for cell in node.cells:
        cell.metadata.setdefault("tags", [])
    return node


def to_ipynb(text: str, parameters: Mapping[str, Any]) -> str:
    """The notebook as an .ipynb file for Jupyter, with the given parameters in a cell after the parameters cell."""
    import nbformat

    node = to_node(text)
    if parameters:
        source = "".join(f"{name} = {value!r}\n" for name, value in parameters.items())
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
        place = next(index for index, cell in enumerate(node.cells) if _is_parameters(cell))
        node.cells.insert(place + 1, cell)
    return nbformat.writes(node)


def _is_parameters(cell: Any) -> bool:
    return "parameters" in cell.metadata.get("tags", [])
