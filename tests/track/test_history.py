"""The table in memory and on disk.

Oracles: the same rows read back by csv; a process that dies.
"""

from __future__ import annotations

import csv
import math
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy import errors
from gradstudy.track.history import COLUMNS, History
from gradstudy.track.row import Row


def trained(path, steps=3, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gs.track(model, optimizer, path=path, **options) as tracker:
        for _ in range(steps):
            loss = model(torch.ones(4, 2)).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            tracker.step(loss=loss)
    return tracker


def test_what_is_read_back_is_what_was_measured(tmp_path):
    path = tmp_path / "track.csv"
    tracker = trained(path, every={"gradient": 1, "spectrum": 2, "units": 1})
    pd.testing.assert_frame_equal(gs.track.read(path), tracker.to_frame(), check_exact=True)
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) - 1 == len(tracker.to_frame())
    assert gs.track.findings(gs.track.read(path)) == tracker.findings()


def test_nan_infinity_and_strange_names_survive(tmp_path):
    history = History(10, tmp_path / "t.csv")
    assert history.open() == 0
    rows = [Row("a", 'b,"c"', 3, math.nan, -math.inf, 2), Row("a", "NA", -1, 0.1 + 0.2, math.inf, 0)]
    history.add(5, rows)
    found = gs.track.read(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(found, history.frame(), check_exact=True)
    assert list(found["name"]) == ['b,"c"', "NA"]
    assert found["value"][1] == 0.1 + 0.2
    history.close()


@pytest.mark.parametrize("cut", [1, 7])
def test_a_last_line_that_was_cut_off_is_left_out_and_the_file_is_gone_on_with(tmp_path, cut):
    path = tmp_path / "track.csv"
    whole = trained(path).to_frame()
    path.write_bytes(path.read_bytes()[:-cut])
    pd.testing.assert_frame_equal(gs.track.read(path), whole.iloc[:-1])
    trained(path, steps=1)
    again = gs.track.read(path)
    assert list(again["step"].unique()) == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(again.iloc[: len(whole) - 1], whole.iloc[:-1])


def test_a_process_that_is_killed_leaves_every_whole_step(tmp_path):
    code = (
        "import os, signal, torch, gradstudy as gs\n"
        "model = torch.nn.Linear(2, 1)\n"
        "with gs.track(model, every={'gradient': 1}, path='track.csv') as tracker:\n"
        "    for i in range(5):\n"
        "        model(torch.ones(1, 2)).sum().backward()\n"
        "        tracker.step(loss=i)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    found = gs.track.read(tmp_path / "track.csv")
    assert list(found.loc[found["quantity"] == "loss", "value"]) == [0, 1, 2, 3, 4]


def test_memory_is_bounded_and_non_finite_rows_stay_longest():
    history = History(100, None)
    for step in range(1000):
        history.add(step, [Row("norm", "a", -1, 1.0, 0.0, int(step == 3)), Row("norm", "b", -1, 2.0, 0.7, 0)])
        assert len(history) <= 102
    frame = history.frame()
    assert frame["step"].iloc[0] == 3
    assert frame["non_finite"].iloc[0] == 1
    assert list(frame["step"].iloc[-2:]) == [999, 999]


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    for call in (lambda: gs.track.read(other), lambda: trained(other), lambda: gs.track.read(tmp_path / "none.csv")):
        with pytest.raises(errors.RecordError, match="cannot be read as a tracker's table"):
            call()
    assert other.read_text() == "a,b\n1,2\n"
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text(",".join(COLUMNS) + "\nx,loss,,,1.0,nan,0\n")
    with pytest.raises(errors.RecordError, match="does not fit"):
        gs.track.read(spoilt)
    with pytest.raises(errors.StorageError):
        trained(tmp_path / "no folder" / "track.csv")


def test_an_empty_file_is_begun_and_one_with_only_a_header_read(tmp_path):
    path = tmp_path / "track.csv"
    path.write_text("")
    trained(path, steps=0)
    assert gs.track.read(path).empty
    assert len(trained(path, steps=1).to_frame())
    assert set(gs.track.read(path)["step"]) == {0}
