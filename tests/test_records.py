"""Oracle: the value itself, put in and read back; for floats the bits. Faults: files cut short, pickles.

The full disk is in tests/study/test_storage.py.
"""

import math
import os
import pickle
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradstudy import records
from gradstudy.errors import RecordError


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADSTUDY_RUN", str(tmp_path))
    return tmp_path / "records"


def test_table_comes_back_exactly(run):
    table = pd.DataFrame(
        {
            "x": [0.1, -math.inf, math.inf, math.nan, 5e-324],
            "single": np.array([0.1, 1 / 3, 1e-45, np.inf, 0], dtype=np.float32),
            "n": [1, 2, 3, 4, 5],
            "name": ["a", "", "NA", 'q"uote', "two\nlines"],
            "yes": [True, False, True, True, False],
        }
    )
    records.record("rates", table)
    back = records.read_table(run / "rates.csv")
    for column in ("x", "single"):
        assert back[column].to_numpy(np.float64).tobytes() == table[column].to_numpy(np.float64).tobytes()
    for column in ("n", "name", "yes"):
        assert back[column].tolist() == table[column].tolist()


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_every_float_comes_back_bit_by_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("floats") / "t.csv"
    path.write_bytes(records._table_bytes("t", pd.DataFrame({"x": np.array(values)})))
    back = records.read_table(path)["x"].to_numpy(np.float64)
    assert back.tobytes() == np.array(values).tobytes()


def test_whatever_has_to_frame_is_a_table(run):
    class Result:
        def to_frame(self):
            return pd.DataFrame({"x": [1.5]}, index=pd.Index(["a"], name="layer"))

    records.record("result", Result())
    assert records.read_table(run / "result.csv").to_dict("list") == {"layer": ["a"], "x": [1.5]}


def test_array_comes_back_exactly(run):
    array = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    records.record("weights", array)
    back = records.read_array(run / "weights.npz")
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_tensor_is_kept_without_knowing_torch(run):
    class Tensor:
        """What a tensor does; this module must not import torch to see it."""

        def detach(self):
            return self

        def cpu(self):
            return self

        def numpy(self):
            return np.arange(3.0)

    records.record("states", Tensor())
    assert records.read_array(run / "states.npz").tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.1, "text", [1, [2.5, None]], {"a": {"b": [True, "c"]}}, math.inf, -math.inf]
)
def test_value_comes_back(run, value):
    records.record("value", value)
    back = records.read_value(run / "value.json")
    assert back == value
    assert type(back) is type(value)


def test_not_a_number_and_numpy_scalars_come_back(run):
    records.record("value", {"nan": math.nan, "int": np.int64(3), "single": np.float32(0.1)})
    back = records.read_value(run / "value.json")
    assert math.isnan(back["nan"])
    assert (back["int"], back["single"]) == (3, float(np.float32(0.1)))


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "../a", "a/b", "a.b", "a\n", "ä"])
def test_malformed_name_is_refused(run, name):
    with pytest.raises(RecordError, match="a record named"):
        records.record(name, 1)
    assert not run.exists()


def test_second_record_of_a_name_is_refused_and_the_first_kept(run):
    records.record("x", 1)
    with pytest.raises(RecordError, match="second time"):
        records.record("x", pd.DataFrame({"a": [1]}))
    assert records.read_value(run / "x.json") == 1


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1: 2},
        [{3}],
        np.array([object()]),
        pd.DataFrame(),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]]),
        pd.DataFrame({"z": [1j]}),
    ],
    ids=str,
)
def test_what_cannot_be_read_back_is_refused(run, value):
    with pytest.raises(RecordError, match="for the record 'x'"):
        records.record("x", value)
    assert not list(run.glob("*"))


def test_outside_a_run_the_value_is_only_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("GRADSTUDY_RUN", raising=False)
    monkeypatch.chdir(tmp_path)
    records.record("x", {"a": 1})
    assert capsys.readouterr().out == "{'a': 1}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (records.read_table, b""),
        (records.read_table, b"a,b\n1,2\n3"),
        (records.read_table, b"a\n1\n2,3,4\n"),
        (records.read_table, b"\xff\xfe\n"),
        (records.read_array, b""),
        (records.read_array, b"PK\x03\x04 cut short"),
        (records.read_array, pickle.dumps([1, 2])),
        (records.read_value, b'{"a": '),
        (records.read_value, b"\xff"),
    ],
)
def test_broken_file_is_named(tmp_path, read, content):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"broken cannot be read(.|\n)*what to do"):
        read(path)
    with pytest.raises(RecordError, match="cannot be read"):
        read(tmp_path / "absent")


def test_pickled_content_of_an_archive_is_not_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "trap.npz", value=np.array([Trap()], dtype=object))
    with pytest.raises(RecordError):
        records.read_array(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


def test_archive_that_lost_its_end_is_named(run):
    records.record("a", np.arange(1000.0))
    path = run / "a.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordError):
        records.read_array(path)


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "file"
    records.write_atomic(path, b"one")
    records.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~records._umask()


def test_read_only_folder_is_named(tmp_path):
    # Root may write anywhere: it gives up its rights first, in a process of its own, after it has imported.
    code = (
        "import os, sys; from pathlib import Path; from gradstudy.records import write_atomic\n"
        "from gradstudy.errors import StorageError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: write_atomic(Path('file'), b'x')\n"
        "except StorageError as error: print(error)\n"
    )
    tmp_path.chmod(0o555)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert "file could not be written: the folder is read-only" in said.stdout, said.stderr
    assert "--workspace" in said.stdout


def test_import_is_light():
    code = "import sys, gradstudy.records; print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize("text", [["01", "1"], ["nan", "b"], ["True", "False"], ["1e3"]])
def test_text_that_csv_would_turn_into_something_else_is_refused(run, text):
    with pytest.raises(RecordError, match=r"column 'label' holds the text .* which csv gives back as"):
        records.record("rates", pd.DataFrame({"label": text, "x": 1.0}))
    assert not list(run.rglob("*.csv"))


def test_text_that_stays_text_is_kept(run):
    table = pd.DataFrame({"label": ["01", "b", ""], "other": pd.Categorical(["x", "y", "x"]), "none": [None] * 3})
    records.record("rates", table)
    back = records.read_table(run / "rates.csv")
    assert back["label"].tolist() == ["01", "b", ""]
    assert back["other"].tolist() == ["x", "y", "x"]
