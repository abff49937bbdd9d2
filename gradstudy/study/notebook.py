"""A study's notebook: percent-format text, read by jupytext."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradstudy.errors import StudySpecError
from gradstudy.study import library
from gradstudy.study.parameters import Schema, parse_schema

# Tag of the cell with the values of parameters, by papermill's convention.
INJECTED = "injected-parameters"
# Key in the metadata of an exported notebook: its study and profile.
ORIGIN = "gradstudy"
KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


@dataclass(frozen=True)
class Notebook:
    """The text of a notebook and what is read from it.

    Args:
        text: the file as it stands.
        cells: sources of the code cells in order, each with whether it is the parameters cell.
        schema: the parameters.
        library: text of the `lib.py` beside it; None if there is none.
    """

    text: str
    cells: tuple[tuple[str, bool], ...]
    schema: Schema
    library: str | None = None


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
    cells = code_cells(to_node(text))
    schema = parse_schema([source for source, tagged in cells if tagged], path)
    return Notebook(text, cells, schema, library.read(path.parent))


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


def code_cells(node: Any) -> tuple[tuple[str, bool], ...]:
    """Sources of a notebook's code cells, but for injected ones, each with whether it is the parameters cell."""
    code = [cell for cell in node.cells if cell.cell_type == "code" and not has_tag(cell, INJECTED)]
    return tuple((cell.source, has_tag(cell, "parameters")) for cell in code)


def to_ipynb(text: str, parameters: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> str:
    """The notebook as an .ipynb file for Jupyter, with the given parameters in a cell after the parameters cell.

    Args:
        text: in percent format.
        parameters: to be injected.
        origin: `study` and `profile`; with them papermill's engine `gradstudy` keeps a run of it.
    """
    import nbformat

    node = to_node(text)
    if origin:
        node.metadata[ORIGIN] = dict(origin)
    if parameters:
        source = "".join(f"{name} = {value!r}\n" for name, value in parameters.items())
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED]})
        place = next(index for index, cell in enumerate(node.cells) if has_tag(cell, "parameters"))
        node.cells.insert(place + 1, cell)
    return nbformat.writes(node)


def has_tag(cell: Any, tag: str) -> bool:
    """Whether a cell of a notebook carries a tag."""
    return tag in cell.metadata.get("tags", [])
