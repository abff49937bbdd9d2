"""A study's figure functions: the public functions of its `figures.py`, loaded by path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import ReportError, UnknownFigureError
from gradstudy.report.study_module import load

if TYPE_CHECKING:
    import pandas as pd

    from gradstudy.plot.drawing import Drawing


@dataclass(frozen=True)
class FigureFunction:
    """One public function of a `figures.py`."""

    name: str
    title: str
    tables: tuple[str, ...]
    draw: Callable[..., Drawing]

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing:
        """The drawing made from copies of its tables, in the project's style.

        Raises:
            ReportError: the function returned something else than a `Drawing`.
        """
        from gradstudy.plot import style
        from gradstudy.plot.drawing import Drawing

        with style.context():
            drawing = self.draw(**{name: tables[name].copy() for name in self.tables})
        if not isinstance(drawing, Drawing):
            raise ReportError(
                f"{self.name} returned a {type(drawing).__name__}",
                needed="a gradstudy.plot.drawing.Drawing: figure, caption, alt",
                why="a figure without its words cannot be cited",
                remedy=f"return Drawing(figure, caption, alt) from {self.name} in figures.py",
            )
        return drawing


def functions(study_folder: Path) -> tuple[FigureFunction, ...]:
    """The public functions of the study's `figures.py`, in the order they are written.

    Raises:
        ReportError: the file cannot be imported.
    """
    path = study_folder / "figures.py"
    if not path.is_file():
        return ()
    module = load(path)
    members = [function for _, function in inspect.getmembers(module, inspect.isfunction)]
    own = [function for function in members if function.__module__ == module.__name__]
    public = [function for function in own if not function.__name__.startswith("_")]
    return tuple(map(_described, sorted(public, key=lambda function: function.__code__.co_firstlineno)))


def find(study_folder: Path, name: str) -> FigureFunction:
    """The figure function of that name.

    Raises:
        UnknownFigureError: `figures.py` has none of that name.
    """
    known = {function.name: function for function in functions(study_folder)}
    if name not in known:
        raise UnknownFigureError(
            f"figure {name!r}",
            needed=f"one of {', '.join(known) or 'none: the study draws no figures'}",
            why="a figure is one public function of the study's figures.py",
            remedy="correct the name",
        )
    return known[name]


def _described(function: Callable[..., Any]) -> FigureFunction:
    title = (inspect.getdoc(function) or function.__name__.replace("_", " ")).partition("\n")[0].rstrip(".")
    return FigureFunction(function.__name__, title, tuple(inspect.signature(function).parameters), function)
