"""Digests of code that see what it does and not how it is written down."""

from __future__ import annotations

import ast
import hashlib
import json
from typing import Any

_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def canonical(node: ast.AST) -> list[Any]:
    """Syntax tree as plain lists, without positions, comments and docstrings.

    Unlike `ast.dump` it leaves out what is empty, so that fields that a newer Python adds do not change it.
    """
    fields: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, _DOCUMENTED):
            value = _without_docstring(value)
        if value is not None and value != []:
            fields[name] = _canonical_value(value)
    return [type(node).__name__, fields]


def digest(source: str) -> str:
    """sha256 of a module's canonical syntax tree; of the text itself where that is not Python."""
    try:
        tree: Any = canonical(ast.parse(source))
    except (SyntaxError, ValueError):
        tree = source
    return digest_of(tree)


def digest_of(value: object) -> str:
    """sha256 of a value's JSON, keys sorted."""
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical_value(value: Any) -> Any:
    if isinstance(value, ast.AST):
        return canonical(value)
    if isinstance(value, list):
        return [_canonical_value(item) for item in value]
    return repr(value)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body
