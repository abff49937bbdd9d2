"""Real data sets.

Oracles: files made here with known sha256; the published split sizes and checksums.
"""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
import torch
from scipy.io import savemat

from gradstudy import errors
from gradstudy.tasks import datasets
from gradstudy.tasks.datasets import REGISTRY, DataSet, available, fetch
from gradstudy.tasks.music import PianoRolls, piano_rolls


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No local folder, an empty cache, and an address that refuses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GRADSTUDY_DATA", str(tmp_path / "data"))
    return tmp_path


def plant(folder, monkeypatch, content=None):
    """A small Nottingham.mat of the published format, known to the registry by its own sha256."""
    path = folder / "data" / "music" / "Nottingham.mat"
    path.parent.mkdir(parents=True)
    rolls = np.empty((1, 2), dtype=object)
    rolls[0, 0], rolls[0, 1] = np.eye(5, 88, dtype=np.uint8), np.ones((3, 88), dtype=np.uint8)
    savemat(path, {"traindata": rolls, "validdata": rolls, "testdata": rolls})
    if content is not None:
        path.write_bytes(content)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = DataSet("music", {"Nottingham.mat": digest}, "http://127.0.0.1:9/", "made here")
    monkeypatch.setattr(datasets, "REGISTRY", {**REGISTRY, "nottingham": known})
    return path


def test_the_local_folder_comes_first(nowhere, monkeypatch):
    path = plant(nowhere, monkeypatch)
    assert fetch("nottingham") == (path,)
    assert available()["nottingham"] == path.parent
    rolls = piano_rolls("nottingham", "valid")
    assert [len(roll) for roll in rolls.sequences] == [5, 3]


def test_a_missing_data_set_is_named_with_the_command_that_gets_it(nowhere, monkeypatch):
    unreachable = DataSet("music", {"Nottingham.mat": "0" * 64}, "http://127.0.0.1:9/", "nobody")
    monkeypatch.setattr(datasets, "REGISTRY", {"nottingham": unreachable})
    with pytest.raises(errors.NoDataError, match="curl --create-dirs") as caught:
        fetch("nottingham")
    assert "GRADSTUDY_DATA" in caught.value.remedy
    assert available() == {"nottingham": None}


def test_a_corrupt_file_is_named(nowhere, monkeypatch):
    path = plant(nowhere, monkeypatch)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.CorruptDataError, match="sha256"):
        fetch("nottingham")


def test_windows_are_places_in_the_sequences_and_targets_are_the_next_chords():
    first, second = np.arange(6)[:, None] * np.ones(88), 10 + np.arange(4)[:, None] * np.ones(88)
    rolls = PianoRolls("made", "train", (first, second))
    inputs, targets = rolls.windows(3, 500, torch.Generator().manual_seed(0))
    assert inputs.shape == targets.shape == (3, 500, 88)
    torch.testing.assert_close(targets, inputs + 1)
    starts, counts = inputs[0, :, 0].unique(return_counts=True)
    assert starts.tolist() == [0, 1, 2, 10]  # every place where four chords follow each other, and no other
    assert counts.min() > 80  # each with probability 1/4
    with pytest.raises(ValueError, match="shorter windows"):
        rolls.windows(6, 1, torch.Generator())


@pytest.mark.needs_data
@pytest.mark.skipif(not os.environ.get("GRADSTUDY_DATA"), reason="export GRADSTUDY_DATA=FOLDER with music/*.mat")
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("jsb", (229, 76, 77)),
        ("nottingham", (694, 173, 170)),
        ("piano-midi", (87, 12, 25)),
        ("musedata", (524, 135, 124)),
    ],
)
def test_published_split_sizes(name, sizes):
    assert tuple(len(piano_rolls(name, split).sequences) for split in ("train", "valid", "test")) == sizes
