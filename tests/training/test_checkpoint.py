"""Checkpoints. Oracle: what was put in; files of others and files that are damaged."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from gradstudy.errors import CheckpointError
from gradstudy.training.checkpoint import configuration, load, save


@dataclass(frozen=True)
class Inner:
    rate: float
    names: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True, eq=False)
class Outer:
    inner: Inner
    rolls: tuple[np.ndarray, ...]
    seed: int = 3


OUTER = Outer(Inner(0.1), (np.arange(3),))
ARRAYS = {"weights": torch.randn(3, 4).double(), "count": torch.tensor(7), "none": torch.zeros(0, 3)}


def test_arrays_come_back_bit_for_bit(tmp_path):
    save(tmp_path / "state.npz", configuration(OUTER), ARRAYS)
    found = load(tmp_path / "state.npz", configuration(OUTER))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert torch.equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(OUTER, seed=4), "seed: 3 instead of 4"),
        (replace(OUTER, inner=Inner(0.2)), "inner.rate: 0.1 instead of 0.2"),
        (replace(OUTER, inner=Inner(0.1, ("a",))), "inner.names.length: 2 instead of 1"),
        (replace(OUTER, rolls=(np.arange(3) + 1,)), "rolls.0: int64"),
        (Inner(0.1), "kind: Outer instead of Inner"),
    ],
)
def test_another_configuration_is_refused_by_name(tmp_path, other, named):
    save(tmp_path / "state.npz", configuration(OUTER), ARRAYS)
    with pytest.raises(CheckpointError, match=named):
        load(tmp_path / "state.npz", configuration(other))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", pickle.dumps({"a": 1}), b"text"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "state.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path, configuration(OUTER))


def test_a_cut_file_and_an_array_alone_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    save(path, configuration(OUTER), ARRAYS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path, configuration(OUTER))
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path, configuration(OUTER))


def test_a_checkpoint_holds_no_pickle(tmp_path):
    save(tmp_path / "state.npz", configuration(OUTER), ARRAYS)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        assert set(file.files) == {*ARRAYS, "configuration"}
        assert all(file[name].dtype != object for name in file.files)
