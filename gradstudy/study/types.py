"""Types a study's parameter can have, and what each accepts."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import dataclass
from typing import Any, Protocol


class Unfit(Exception):  # noqa: N818 - caught and named by the caller, who knows the parameter
    """A value or an annotation that does not fit, and why."""


class ParameterType(Protocol):
    """What every type can do."""

    def accept(self, value: Any) -> Any:
        """The value as this type, or Unfit."""

    def read(self, text: str) -> Any:
        """The value meant by a text of the command line; `accept` still has to judge it."""


@dataclass(frozen=True)
class Scalar:
    """int, float, bool or str; an int is accepted as a float, a bool never as a number."""

    kind: type

    def __str__(self) -> str:
        return self.kind.__name__

    def accept(self, value: Any) -> Any:
        """The value, an int made a float where a float is asked for."""
        if self.kind is float and type(value) is int:
            value = _as_float(value)
        if type(value) is not self.kind:
            raise Unfit(f"{type(value).__name__} where {self} is needed")
        if isinstance(value, float) and not math.isfinite(value):
            raise Unfit("not a finite number")
        return value

    def read(self, text: str) -> Any:
        """JSON; a str may stand bare."""
        value = _from_json(text)
        if self.kind is str:
            return value if isinstance(value, str) else text
        return value


@dataclass(frozen=True)
class Choice:
    """Literal[...]: one of the values named."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"Literal[{', '.join(map(repr, self.values))}]"

    def accept(self, value: Any) -> Any:
        """The member that the value is; 1 is neither True nor "1"."""
        for member in self.values:
            same_type = type(value) is type(member) or (type(member) is float and type(value) is int)
            if same_type and value == member:
                return member
        raise Unfit("not one of the values named")

    def read(self, text: str) -> Any:
        """A member that is text may stand bare."""
        return text if text in self.values else _from_json(text)


@dataclass(frozen=True)
class ListOf:
    """list[...]."""

    item: ParameterType

    def __str__(self) -> str:
        return f"list[{self.item}]"

    def accept(self, value: Any) -> Any:
        """A new list of accepted items."""
        if type(value) is not list:
            raise Unfit(f"{type(value).__name__} where {self} is needed")
        return [self.item.accept(item) for item in value]

    def read(self, text: str) -> Any:
        """JSON."""
        return _from_json(text)


@dataclass(frozen=True)
class Maybe:
    """... | None."""

    inner: ParameterType

    def __str__(self) -> str:
        return f"{self.inner} | None"

    def accept(self, value: Any) -> Any:
        """None, or what the inner type accepts."""
        return None if value is None else self.inner.accept(value)

    def read(self, text: str) -> Any:
        """`null` is None."""
        return None if text == "null" else self.inner.read(text)


_SCALARS = {"int": Scalar(int), "float": Scalar(float), "bool": Scalar(bool), "str": Scalar(str)}


def type_of(annotation: ast.expr) -> ParameterType:
    """Type that an annotation names.

    Raises:
        Unfit: the annotation is not one of those that a parameter may have.
    """
    match annotation:
        case ast.Name(id=name) if name in _SCALARS:
            return _SCALARS[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return Maybe(type_of(left))
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return ListOf(type_of(item))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=members):
            return Choice(_members(members))
    raise Unfit(f"`{ast.unparse(annotation)}` is not a type of a parameter")


def _members(node: ast.expr) -> tuple[Any, ...]:
    try:
        values = ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise Unfit("the values of a Literal must be written out") from error
    values = values if isinstance(values, tuple) else (values,)
    if not values or any(type(value) not in (int, float, bool, str) for value in values):
        raise Unfit("the values of a Literal are ints, floats, bools or strings")
    return values


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise Unfit("too large for a float") from error


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
