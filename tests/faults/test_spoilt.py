"""Oracle: an undisturbed run of the same study; and the disk, on which files were cut short, changed or dated back."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

import gradstudy

FILES = ["run.json", "records/draws.npz", "records/mean.json"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", ["cut", "flipped", "emptied"])
def test_a_spoilt_file_counts_as_nothing_and_its_run_is_done_again(finished, draw, file, how):
    (victim, *others) = draw.sample(finished.runs(), 6)
    path = victim / file
    path.write_bytes(spoilt(path.read_bytes(), how, draw))
    states = {planned.folder: planned.state for planned in plan(finished)}
    assert states[victim].kind == "new"
    assert ("run.json" if file == "run.json" else file) in states[victim].detail
    assert {states[folder].kind for folder in others} == {"cached"}


def spoilt(content, how, draw):
    if how == "emptied":
        return b""
    if how == "cut":
        return content[: draw.randrange(1, len(content) - 2)]
    # A flipped bit in run.json may change a number that nothing depends on; its first byte it cannot do without.
    place = 0 if content.startswith(b"{") else draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def plan(six):
    from gradstudy.study.catalog import find_study
    from gradstudy.study.plan import make_plan

    return make_plan(find_study("six", six.folder), "quick", six.folder).points


def test_three_spoilt_runs_are_done_again_and_the_report_is_the_same(finished, undisturbed, draw):
    for victim, file, how in zip(finished.runs(), FILES, ("cut", "flipped", "emptied"), strict=False):
        (victim / file).write_bytes(spoilt((victim / file).read_bytes(), how, draw))
    assert finished.unfinished() == 3
    finished.recovers(undisturbed)


def test_a_spoilt_table_is_found_by_its_digest(finished):
    # The six runs keep no table, which would need pandas: this one is put beside, and listed as a run lists it.
    from gradstudy.study.ledger import BrokenEntryError, read_entry, write_entry
    from gradstudy.study.outcome import Outcome

    folder = finished.runs()[0]
    entry = json.loads((folder / "run.json").read_text())
    table = folder / "records" / "rates.csv"
    table.write_text("t,rate\n0,0.5\n1,0.25\n")
    write_entry(folder, entry, Outcome("ok"), {key: entry[key] for key in ("evidence", "seconds")})
    assert "rates.csv" in read_entry(folder).records
    for content in ("t,rate\n0,0.5\n1,0.2", "t,rate\n0,0.5\n1,0.26\n", ""):
        table.write_text(content)
        with pytest.raises(BrokenEntryError, match=r"records/rates\.csv is not what the run wrote"):
            read_entry(folder)


def test_files_dated_in_the_future_or_long_ago_change_nothing(finished, draw):
    for path in finished.folder.rglob("*"):
        os.utime(path, (stamp := draw.choice([0, 2**33]), stamp))
    assert finished.unfinished() == 0


def test_a_clock_set_back_makes_no_run_stale(six, tmp_path, monkeypatch):
    # As if the package had been installed tomorrow: its sources are younger than every run.
    package = tmp_path / "path" / "gradstudy"
    shutil.copytree(Path(gradstudy.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    beside = Path(gradstudy.__file__).parents[1] / "CITATION.cff"
    if beside.is_file():  # in the wheel it is in the package
        shutil.copy(beside, package.parent)
    for path in package.rglob("*.py"):
        os.utime(path, (2**33, 2**33))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert six.run("-p", "seed=1")["executed"] == 1
    assert six.run("-p", "seed=1")["executed"] == 0
