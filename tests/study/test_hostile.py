"""Oracle: what may come out at all. Whatever text comes in, it is a value or the one named error; nothing is executed.

Values go through a real kernel and must come back the same; the folders around it must hold what they held before.
"""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gradstudy.errors import GradstudyError, ParameterError, ParametersCellError, StudySpecError, UnknownStudyError
from gradstudy.study import yaml12
from gradstudy.study.catalog import find_study
from gradstudy.study.evidence import Present
from gradstudy.study.ledger import BrokenEntryError, read_entry, state
from gradstudy.study.parameters import parse_assignments, parse_schema
from gradstudy.study.spec import StudySpec, read_spec

WHERE = Path("studies/x/notebook.py")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
HOSTILE = [
    "{seed}",
    "{0.__class__}",
    "$(touch owned)",
    "`touch owned`",
    "; touch owned #",
    "../../owned",
    "'); open('owned', 'w') #",
    '"""\nopen("owned", "w")\n"""',
    "\\",
    "\\'",
    "%sx {% raw %} {{ 7 * 7 }}",
    "!touch owned",
    "%%writefile owned",
    "<script>alert(1)</script>",
    "no",
    "1e-3",
    "null",
    "\u2028\u202e\x1b[2J\x7f",
]


def test_hostile_values_reach_the_kernel_as_they_are_and_do_nothing(workspace):
    text = workspace.notebook.read_text().replace(
        "seed: int = 0", 'seed: int = 0\nword: str = ""\nwords: list[str] = []'
    )
    workspace.notebook.write_text(text + '\n# %%\ngs.record("words", [word, *words])\n')
    grid = [{"name": "base", "set": {"words": HOSTILE, "word": HOSTILE[6]}}]
    workspace.profile(grid=grid)
    before = outside(workspace)
    (planned,) = workspace.run().plans[0].points
    assert planned.state.kind == "ok"
    assert json.loads((planned.folder / "records" / "words.json").read_text()) == [HOSTILE[6], *HOSTILE]
    assert not list(workspace.folder.parent.rglob("owned"))
    assert outside(workspace) == before


def outside(workspace):
    """What lies beside `runs/` and around the workspace."""
    runs = workspace.folder / "runs"
    return sorted(path for path in workspace.folder.parent.rglob("*") if path != runs and runs not in path.parents)


@pytest.mark.parametrize(
    "line",
    [
        "__import__('os').system('touch owned'): int = 1",
        "x: __import__('os').system('touch owned') = 1",
        "x: int = __import__('os').system('touch owned')",
        "x: list[__import__('os').getcwd()] = []",
        "x: Literal[open('owned', 'w')] = 1",
        "x: int = (lambda: 1)()",
        'x: str = f\'{open("owned", "w")}\'',
        "class x: y: int = 1",
        "x: int = 1; import os",
        "[x for x in ()]: int = 1",
        "(x): int = (y := 1)",
    ],
)
def test_a_parameter_that_is_code_is_refused_and_not_executed(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParametersCellError):
        parse_schema([line], WHERE)
    assert not list(tmp_path.iterdir())


@given(st.text(), st.sampled_from(["int", "float", "bool", "str", "list[int]", "int | None", "Literal['a', 1]"]))
@example("[" * 100_000, "list[int]")
@example("9" * 5000, "int")
@example("1" + "0" * 400, "float")
def test_any_text_is_a_value_of_the_type_or_refused(text, kind):
    default = {"int": "0", "float": "0.0", "bool": "False", "str": "''", "list[int]": "[]"}.get(kind, "1")
    schema = parse_schema([f"x: {kind} = {default}"], WHERE)
    try:
        (value,) = parse_assignments(schema, [f"x={text}"]).values()
    except ParameterError:
        return
    assert ast.literal_eval(repr(value)) == value
    assert schema["x"].type.accept(value) == value


@given(st.text())
@example("x: int = " + "(" * 5000)
@example("x: int = " + "-" * 100_000 + "1")
@example("x: int = " + "-" * 2000 + "1")
@example("x: str = '\ud800'")
@example("x: int = 1\0")
@example("x: int = " + "9" * 5000)
def test_any_text_is_a_schema_or_refused(text):
    try:
        schema = parse_schema([text], WHERE)
    except ParametersCellError:
        return
    assert all(name.isidentifier() for name in schema)


@given(st.text())
@example("a: " + "{b: " * 5000)
@example("9" * 5000)
@example("x: &a [*a, *a]")
@example("- !!python/object/apply:os.system ['touch owned']")
@example("%YAML 1.1\n---\na: no")
@example("? {a: 1}\n: 2")
@example("\ud800")
def test_any_text_is_yaml_or_a_value_error(text):
    try:
        value = yaml12.load(text)
    except ValueError:
        return
    assert json.loads(json.dumps(value)) == value or value != value


@given(VALUES)
def test_json_is_yaml(value):
    found = yaml12.load(json.dumps(value))
    assert found == value
    assert json.dumps(found) == json.dumps(value)


@given(VALUES)
def test_any_value_is_a_study_or_refused(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "study.yaml"
    path.write_text(json.dumps(value))
    with pytest.raises(StudySpecError):
        read_spec(path)
    good = {"title": "t", "question": "q", "method": "m", "profiles": {"quick": {"grid": [{"name": "a"}]}}}
    for key in (*StudySpec.model_fields, "more"):
        path.write_text(json.dumps({**good, key: value}))
        try:
            read_spec(path)
        except StudySpecError:
            continue


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
@example(
    b'{"status": "ok", "error": null, "parameters": {}, "records": {"../../x": "0"}, "evidence": {}, "seconds": 1}'
)
@example(b'{"status": "ok", "error": null, "parameters": {}, "records": {}, "evidence": {"a": 1}, "seconds": 1}')
@example(b'{"status": "ok", "error": null, "parameters": {}, "records": {}, "evidence": [1], "seconds": 1}')
@example(b'{"status": "failed", "error": {"a": 1}, "parameters": {}, "records": {}, "evidence": null, "seconds": 1}')
@example(b'{"status": "failed", "error": 3, "parameters": {}, "records": {}, "evidence": null, "seconds": 1}')
@example(b'{"status": ["ok"], "error": null, "parameters": [[1, 2]], "records": [], "evidence": null, "seconds": "1"}')
@example(b"[" * 100_000)
def test_any_run_json_is_an_entry_or_counts_as_nothing(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "run"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_bytes(content)
    try:
        read_entry(folder)
    except BrokenEntryError:
        assert state(folder, Present()).kind == "new"
        return
    assert isinstance(state(folder, Present()).kind, str)


@pytest.mark.parametrize(
    "name", ["..", ".", "../small", "small/../small", "/etc", "small/", "", "small\0", "sm*", "{0}"]
)
def test_a_study_named_like_a_path_is_unknown(workspace, name):
    with pytest.raises(UnknownStudyError):
        find_study(name, workspace.folder)


@pytest.mark.parametrize("name", ["Up", "a b", "-x", "$(id)", "{0}", "ä", "a_b"])
def test_a_study_in_a_folder_of_such_a_name_is_refused(workspace, name):
    workspace.notebook.parent.rename(workspace.folder / "studies" / name)
    with pytest.raises(GradstudyError, match="in a folder named"):
        find_study(name, workspace.folder)
