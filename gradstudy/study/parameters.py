"""Parameters of a study: the one cell of annotated literals, read with `ast` and never executed."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from gradstudy.errors import ParameterError, ParametersCellError
from gradstudy.study.types import ParameterType, Unfit, type_of

# Columns that stand beside the parameters in every table of results.
RESERVED = frozenset({"run", "group", "control"})


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell."""

    name: str
    type: ParameterType
    default: Any


Schema = Mapping[str, Parameter]


def parse_schema(cells: Sequence[str], where: Path) -> Schema:
    """Schema of a notebook.

    Args:
        cells: sources of the code cells tagged `parameters`.
        where: the notebook, for messages.

    Raises:
        ParametersCellError: not exactly one such cell, or one that is not made of annotated literals.
    """
    if len(cells) != 1:
        _refuse(
            where,
            f"{len(cells)} cells tagged `parameters`" if cells else "no cell tagged `parameters`",
            'tag exactly one cell: `# %% tags=["parameters"]`',
        )
    try:
        statements = ast.parse(cells[0]).body
    # ValueError: text that has no bytes; the others: nested more deeply than Python can follow.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _refuse(where, f"a parameters cell that is not Python: {error}", "write one `name: type = literal` a line")
    schema: dict[str, Parameter] = {}
    for number, statement in enumerate(statements, 1):
        try:
            parameter = _parse_line(statement, where)
        except (RecursionError, MemoryError):
            _refuse(where, f"line {number}, which is nested too deeply", "write the value out")
        if parameter.name in schema:
            _refuse(where, f"the parameter `{parameter.name}` twice", "keep one of the two lines")
        schema[parameter.name] = parameter
    return schema


def coerce(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters in the schema's order: the given values, coerced, and the defaults.

    Raises:
        ParameterError: an unknown name, or a value of another type.
    """
    for name in given:
        if name not in schema:
            raise _unknown(name, schema)
    return {
        name: _accept(parameter, given[name]) if name in given else parameter.default
        for name, parameter in schema.items()
    }


def parse_assignments(schema: Schema, assignments: Sequence[str]) -> dict[str, Any]:
    """Values given on the command line as `name=value`, read by the parameter's type.

    Numbers, `true`, `null` and lists are JSON; strings stand bare, or as JSON strings in double quotes.
    """
    given: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ParameterError(
                f"`-p {assignment}`",
                needed="`-p name=value`",
                why="without a value there is nothing to set",
                remedy=f"for example `-p {assignment}=1`",
            )
        if name not in schema:
            raise _unknown(name, schema)
        if name in given:
            raise ParameterError(
                f"`-p {name}=...` twice",
                needed="every parameter once",
                why="one of the two would be dropped silently",
                remedy="keep the one that is meant",
            )
        given[name] = _accept(schema[name], schema[name].type.read(text))
    return given


def _parse_line(statement: ast.stmt, where: Path) -> Parameter:
    line = ast.unparse(statement)
    if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
        _refuse(where, f"the line `{line}`", "write `name: type = literal`; other code belongs in the next cell")
    name = statement.target.id
    if name in RESERVED or name.startswith("_"):
        _refuse(
            where, f"a parameter named `{name}`", f"choose another name than {', '.join(sorted(RESERVED))} or `_...`"
        )
    if statement.value is None:
        _refuse(where, f"the line `{line}` without a value", "give the parameter a default")
    try:
        kind = type_of(statement.annotation)
    except Unfit as error:
        _refuse(where, f"the line `{line}`: {error}", "annotate with one of the types above")
    try:
        value = ast.literal_eval(statement.value)
    except (ValueError, TypeError):
        _refuse(where, f"the line `{line}`: its value is computed", "write the value out; derive in the next cell")
    try:
        return Parameter(name, kind, kind.accept(value))
    except Unfit as error:
        _refuse(where, f"the line `{line}`: {error}", "make value and type agree")


def _accept(parameter: Parameter, value: Any) -> Any:
    try:
        return parameter.type.accept(value)
    except Unfit as error:
        raise ParameterError(
            f"{parameter.name} = {_shown(value)}: {error}",
            needed=f"{parameter.name}: {parameter.type}",
            why="a value of another type would run as something that was not meant",
            remedy=f"correct the value (the default is {_shown(parameter.default)})",
        ) from error


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)


def _unknown(name: str, schema: Schema) -> ParameterError:
    close = difflib.get_close_matches(name, schema, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "choose one of them"
    return ParameterError(
        f"the parameter {name!r}",
        needed=f"one of: {', '.join(schema) or '(the notebook has none)'}",
        why="a parameter the notebook does not know would change nothing",
        remedy=hint,
    )


def _refuse(where: Path, came: str, remedy: str) -> NoReturn:
    raise ParametersCellError(
        f"{where}: {came}",
        needed="one cell tagged `parameters` of lines `name: type = literal`; types: int, float, bool, str, "
        "Literal[...], list[...], each also `| None`",
        why="this cell is the only schema of the study; it is checked before any kernel starts",
        remedy=remedy,
    )
