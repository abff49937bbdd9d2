"""Oracle: Python itself. A drawn schema is written as source and read back; a drawn value is fitted by its type's rule.

The round trip through papermill executes the cell that papermill writes and compares what it assigns.
"""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradstudy.errors import ParameterError, ParametersCellError
from gradstudy.study.parameters import coerce, parse_assignments, parse_schema

WHERE = Path("studies/x/notebook.py")
CELL = """
size: int = 8
slope: float = 1
name: str = "tanh"
on: bool = False
activation: Literal["tanh", "relu"] = "tanh"
level: Literal[1, 2.5, True] = 2.5
lags: list[int] = [1, 2]
seed: int | None = None
"""
SCHEMA = parse_schema([CELL], WHERE)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TYPES = {"int": st.integers(), "float": FINITE, "bool": st.booleans(), "str": st.text()}


@st.composite
def typed_values(draw):
    """Draw a type as text, and a value of it."""
    name = draw(st.sampled_from(sorted(TYPES)))
    shape = draw(st.sampled_from(["plain", "list", "maybe"]))
    if shape == "list":
        return f"list[{name}]", draw(st.lists(TYPES[name], max_size=3))
    if shape == "maybe":
        return f"{name} | None", draw(st.none() | TYPES[name])
    return name, draw(TYPES[name])


def test_cell_is_read_with_types_and_defaults():
    assert coerce(SCHEMA, {}) == {
        "size": 8, "slope": 1.0, "name": "tanh", "on": False, "activation": "tanh", "level": 2.5,
        "lags": [1, 2], "seed": None,
    }  # fmt: skip
    assert type(SCHEMA["slope"].default) is float
    assert str(SCHEMA["activation"].type) == "Literal['tanh', 'relu']"


@given(typed_values())
def test_a_written_default_is_read_back(typed):
    kind, value = typed
    schema = parse_schema([f"p: {kind} = {value!r}"], WHERE)
    assert repr(schema["p"].default) == repr(value)
    assert repr(coerce(schema, {"p": value})["p"]) == repr(value)


@given(typed_values())
def test_json_on_the_command_line_is_read_back(typed):
    kind, value = typed
    schema = parse_schema([f"p: {kind} = {value!r}"], WHERE)
    assert repr(parse_assignments(schema, [f"p={json.dumps(value)}"])["p"]) == repr(value)


@given(typed_values())
def test_papermill_assigns_what_was_resolved(typed):
    from papermill.translators import PythonTranslator

    names: dict = {}
    exec(PythonTranslator.codify({"p": typed[1]}), names)
    assert repr(names["p"]) == repr(typed[1])


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([], "no cell tagged"),
        ([CELL, CELL], "2 cells tagged"),
        (["n: int = 2 *"], "not Python"),
        (["n: int = 2 * 3"], "computed"),
        (["n: float = float('inf')"], "computed"),
        (["n: int = m"], "computed"),
        (["n = 3"], "the line `n = 3`"),
        (["n: int"], "without a value"),
        (["import os"], "the line `import os`"),
        (["n: tuple = (1, 2)"], "not a type"),
        (["n: list[int] = (1, 2)"], "tuple where list"),
        (["n: int = 1.0"], "float where int"),
        (["n: int = True"], "bool where int"),
        (["n: float = True"], "bool where float"),
        (["n: float = 1e999"], "not a finite number"),
        (["n: dict = {}"], "not a type"),
        (["n: int | str = 1"], "not a type"),
        (["n: Literal[None] = None"], "values of a Literal"),
        (["n: Literal[x] = 1"], "written out"),
        (["n: Literal['a'] = 'b'"], "not one of the values"),
        (["n: int = 1\nn: int = 2"], "twice"),
        (["group: str = ''"], "a parameter named `group`"),
        (["a.b: int = 1"], "the line `a.b: int = 1`"),
    ],
)
def test_a_cell_that_is_no_schema_is_refused(cells, says):
    with pytest.raises(ParametersCellError) as caught:
        parse_schema(cells, WHERE)
    assert says in caught.value.came
    assert str(WHERE) in caught.value.came


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"slop": 1.0}, "'slop'"),
        ({"size": 1.0}, "float where int"),
        ({"size": True}, "bool where int"),
        ({"size": "8"}, "str where int"),
        ({"slope": True}, "bool where float"),
        ({"slope": math.nan}, "not a finite number"),
        ({"slope": math.inf}, "not a finite number"),
        ({"slope": 10**400}, "too large"),
        ({"on": 1}, "int where bool"),
        ({"activation": "sigmoid"}, "not one of"),
        ({"level": False}, "not one of"),
        ({"lags": [1, 2.5]}, "float where int"),
        ({"lags": (1, 2)}, "tuple where list"),
        ({"size": None}, "NoneType where int"),
        ({"x; import os": 1}, "x; import os"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(given, says):
    with pytest.raises(ParameterError) as caught:
        coerce(SCHEMA, given)
    assert says in caught.value.came


def test_an_unknown_name_comes_with_close_ones():
    with pytest.raises(ParameterError, match="did you mean slope"):
        coerce(SCHEMA, {"slop": 1.0})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("slope=1e-3", 1e-3),
        ("slope=2", 2.0),
        ("on=true", True),
        ("name=bare words = here", "bare words = here"),
        ("name=1", "1"),
        ('name="quoted"', "quoted"),
        ("activation=relu", "relu"),
        ("level=true", True),
        ("lags=[3]", [3]),
        ("seed=null", None),
        ("seed=4", 4),
    ],
)
def test_text_of_the_command_line_is_read_by_its_type(text, value):
    (found,) = parse_assignments(SCHEMA, [text]).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "texts", [["slope"], ["slope=x"], ["slope=NaN"], ["size=1.5"], ["on=1"], ["y=1"], ["size=1", "size=2"]]
)
def test_text_that_does_not_fit_is_refused(texts):
    with pytest.raises(ParameterError):
        parse_assignments(SCHEMA, texts)
