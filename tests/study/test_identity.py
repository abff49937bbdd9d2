"""Oracle: what a run computes. Edits that cannot change it keep the digest; every other edit gives another."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradstudy.study import evidence
from gradstudy.study.evidence import Present, changes, gather, merge
from gradstudy.study.identity import code_of, identity
from gradstudy.study.notebook import read_notebook
from gradstudy.study.syntax import digest

TEXT = """# %% [markdown]
# # Prose

# %% tags=["parameters"]
size: int = 8  # a comment

# %%
import math
rate = math.sqrt(size) + 1
"""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@pytest.fixture
def code(tmp_path):
    def code(text):
        path = tmp_path / "notebook.py"
        path.write_text(text)
        return code_of(read_notebook(path))

    return code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# # Prose", "# # Other prose\n# and more of it"),
        ("  # a comment", ""),
        ("= 8", "= 9"),
        ("rate = math.sqrt(size) + 1", "rate = (math.sqrt( size )\n    + 1)  # why"),
        ("import math\n", "import math\n\n# %% [markdown]\n# Prose between\n\n# %%\n"),
        ("import math\n", '"""What this is about."""\nimport math\n'),
    ],
)
def test_what_changes_no_result_keeps_the_code(code, old, new):
    assert old in TEXT
    assert code(TEXT.replace(old, new)) == code(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ 1", "+ 2"),
        ("+ 1", "+ 1.0"),
        ("+ 1", "- 1"),
        ("size: int", "size: float"),
        ("math.sqrt", "math.log"),
        ("import math\n", "import math\n%matplotlib inline\n"),
        ("rate =", "rates ="),
    ],
)
def test_every_other_edit_is_another_run(code, old, new):
    assert old in TEXT
    assert code(TEXT.replace(old, new)) != code(TEXT)


@given(st.dictionaries(st.text(), SCALARS), st.dictionaries(st.text(), SCALARS))
def test_parameters_alike_in_value_and_type_and_only_they_share_a_run(one, other):
    alike = {k: repr(v) for k, v in one.items()} == {k: repr(v) for k, v in other.items()}
    assert (identity([], one, {}, 1) == identity([], other, {}, 1)) == alike
    assert identity([], one, {}, 1) == identity([], dict(reversed(one.items())), {}, 1)


def test_data_threads_and_code_are_part_of_it():
    base = identity([], {}, {}, 1)
    others = [identity([], {}, {}, 2), identity([["x"]], {}, {}, 1), identity([], {}, {"d": {"f": "0" * 64}}, 1)]
    assert len({base, *others}) == 4
    assert all(len(found) == 64 and int(found, 16) >= 0 for found in [base, *others])


@given(st.sampled_from(["x = 1", "def f():\n    return 1", "class A:\n    b = 2"]), st.text("abc #", max_size=9))
def test_comments_and_blank_lines_are_not_code(source, comment):
    assert digest(f"# {comment}\n\n{source}  # {comment}\n") == digest(source)


def test_docstrings_are_not_code_and_other_strings_are():
    assert digest('def f():\n    """Say."""\n    return 1') == digest("def f():\n    return 1")
    assert digest("x = 'a'") != digest("x = 'b'")
    assert digest("x = 1") != digest("x = True") != digest("x = 1.0")


def test_evidence_lists_what_was_loaded_and_names_what_changed():
    evidence = gather(["gradstudy", "gradstudy.errors", "numpy", "json"])
    assert set(evidence["modules"]) == {"gradstudy", "gradstudy.errors"}
    assert set(evidence["versions"]) == {"python", "numpy"}
    assert changes(evidence, Present()) == ()
    evidence["modules"]["gradstudy.errors"] = "0" * 64
    evidence["modules"]["gradstudy.gone"] = "0" * 64
    evidence["versions"]["numpy"] = "0.1"
    found = changes(evidence, Present())
    assert found[0].startswith("numpy 0.1 -> ")
    assert found[1:] == ("gradstudy.errors", "gradstudy.gone")


def test_merged_evidence_shows_where_runs_differ():
    one = {"modules": {"a": "1"}, "versions": {"python": "3.11"}}
    two = {"modules": {"a": "1", "b": "2"}, "versions": {"python": "3.12"}}
    assert merge([two, one]) == {"modules": {"a": "1", "b": "2"}, "versions": {"python": "3.11, 3.12"}}


def test_a_source_written_after_the_run_began_is_neither_the_old_nor_the_new(tmp_path, monkeypatch):
    package = tmp_path / "gradstudy"
    (package / "chains").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "chains/__init__.py"):
        (package / name).write_text("x = 1\n")
        # Long before now and long after: what the clock says must not matter.
        os.utime(package / name, (1000, 1000) if name == "errors.py" else (2**33, 2**33))
    monkeypatch.setattr(evidence.gradstudy, "__file__", str(package / "__init__.py"))
    before, loaded = evidence.stamps(), ["gradstudy", "gradstudy.errors", "gradstudy.chains"]
    assert sorted(before) == sorted(loaded)
    assert evidence.changes(evidence.doubted(evidence.gather(loaded), before), evidence.Present()) == ()
    os.utime(package / "chains" / "__init__.py", (500, 500))  # the clock was set back before it was written
    found = evidence.doubted(evidence.gather(loaded), before)
    assert evidence.changes(found, evidence.Present()) == ("gradstudy.chains",)
