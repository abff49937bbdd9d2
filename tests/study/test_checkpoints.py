"""Oracle: a kernel that writes a checkpoint and kills itself, and is tried again."""

import json

import gradstudy as gs
from gradstudy.study import checkpoints, executor


def states(tally):
    return [planned.state.kind for plan in tally.plans for planned in plan.points]


def test_a_killed_run_goes_on_from_its_checkpoint(workspace):
    workspace.moods("twice")
    assert states(workspace.run()) == ["ok"]
    folder = workspace.run_folder()
    assert json.loads((folder / "records" / "half.json").read_text()) == "done before"
    assert not (folder / "checkpoints").exists()  # it ended well, so nothing is left to go on from


def test_a_checkpoint_of_other_code_is_dropped(workspace, monkeypatch):
    monkeypatch.setattr(executor, "RETRIES", 0)
    workspace.moods("twice")
    assert states(workspace.run()) == ["killed"]
    monkeypatch.setattr(checkpoints, "code", lambda: "changed since")
    assert states(workspace.run()) == ["killed"]


def test_outside_a_run_nothing_is_kept(monkeypatch):
    monkeypatch.delenv("GRADSTUDY_RUN", raising=False)
    assert gs.checkpoint_path("half") is None
