"""Oracle: a workspace put together by hand, of which it is known what each thing is and who refers to it.

The runs are real; what is removed is compared with all paths that were there before.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from gradstudy.study import checkpoints
from gradstudy.study.clean import held, leftovers, remove
from gradstudy.study.evidence import gather
from gradstudy.study.ledger import prepare, write_entry
from gradstudy.study.lock import hold, hold_reports, hold_run
from gradstudy.study.outcome import Failure, Outcome
from gradstudy.study.plan import make_plan


@pytest.fixture
def littered(workspace):
    """Two runs of the profile, one of them after a failed attempt, one of other parameters, and litter."""
    workspace.profile(grid=[{"name": "base", "over": {"seed": [0, 1]}}])
    once, twice = make_plan(workspace.study(), "quick", workspace.folder).points
    (other,) = make_plan(workspace.study(), "quick", workspace.folder, assignments=["seed=7"]).points
    failed = Outcome("failed", Failure("RuntimeError", "as planned"))
    for planned, outcomes in ((once, "."), (twice, "f."), (other, ".")):
        for sign in outcomes:
            leave(planned, failed if sign == "f" else Outcome("ok"))
    (twice.folder / "checkpoints").mkdir(exist_ok=True)
    (twice.folder / "checkpoints" / "code").write_text("of another day")
    (once.folder / "records" / ".value.json.abc.part").write_text("{")
    (workspace.folder / "runs" / ".probe-123").write_text("")
    (workspace.folder / "runs" / "small" / "notes.txt").write_text("mine")
    workspace.once, workspace.twice, workspace.other = once.folder, twice.folder, other.folder
    return workspace


def leave(planned, outcome):
    attempt = prepare(planned.folder)
    (planned.folder / "records" / "value.json").write_text('{"a": 1}')
    (planned.folder / "log").write_text("")
    details = {"evidence": gather(["gradstudy"]), "seconds": 1.0, "attempt": attempt}
    write_entry(planned.folder, {"parameters": dict(planned.point.parameters)}, outcome, details)
    checkpoints.drop(planned.folder)


def found_in(workspace, cited=()):
    found = leftovers([workspace.study()], workspace.folder, frozenset(cited))
    return {str(one.path.relative_to(workspace.folder / "runs")): one.reason for one in found}


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_nothing_refers_to_is_found_and_no_more(littered):
    once, twice, other = (f"small/{folder.name}" for folder in (littered.once, littered.twice, littered.other))
    assert found_in(littered) == {
        ".probe-123": "left by a write that was interrupted",
        f"{once}/records/.value.json.abc.part": "left by a write that was interrupted",
        f"{twice}/attempts/1": "an earlier attempt at a run",
        f"{twice}/checkpoints": "checkpoints of code that has changed since",
        other: "a run of no profile of a study and in no report",
    }


def test_what_is_removed_is_what_was_found(littered):
    before = tree(littered.folder)
    found = leftovers([littered.study()], littered.folder, frozenset())
    gone = {str(one.path.relative_to(littered.folder)) for one in found}
    remove(found)
    after = tree(littered.folder)
    assert all(any(f"{path}/".startswith(f"{top}/") for top in gone) for path in before - after)
    assert not gone & after
    assert littered.states() == ["cached", "cached"]
    assert found_in(littered) == {}
    assert (littered.folder / "runs" / "small" / "notes.txt").read_text() == "mine"


def test_what_a_killed_builder_left_of_a_report_goes_and_the_report_stays(littered):
    profile = littered.folder / "reports" / "quick"
    for place in (".small.ab12cd_9/new", ".small.ab12cd_9/old", ".gone.ab12cd_9/new", ".away.ab12cd_9/old", "small"):
        (profile / place).mkdir(parents=True)
    # Not ours: by its name, or a link.
    (profile / ".git" / "new").mkdir(parents=True)
    (profile / ".mine.original" / "thesis").mkdir(parents=True)
    (profile / ".link.ab12cd_9").symlink_to(profile / "small")
    (profile / ".index.html.abc.part").write_text("<")
    (profile / ".notes").write_text("mine")
    found = leftovers([littered.study()], littered.folder, frozenset())
    reports = {one.path.name: one.reason for one in found if profile in one.path.parents}
    assert reports == {
        ".small.ab12cd_9": "a report that was being built",
        ".gone.ab12cd_9": "a report that was being built",
        ".index.html.abc.part": "left by a write that was interrupted",
    }
    remove(found)
    # .away holds the only copy of a report that was being replaced.
    stays = {".away.ab12cd_9", "small", ".git", ".link.ab12cd_9", ".notes", ".mine.original"}
    assert {path.name for path in profile.iterdir()} == stays


def test_a_workspace_of_reports_alone_stays_as_it_is(tmp_path):
    (tmp_path / "reports" / "standard").mkdir(parents=True)
    with held(tmp_path):
        pass
    assert tree(tmp_path) == {"reports", "reports/standard"}


def test_nothing_is_cleaned_while_reports_are_built(littered, monkeypatch):
    from gradstudy.errors import StudyHeldError

    (littered.folder / "reports" / "quick").mkdir(parents=True)
    monkeypatch.setattr("gradstudy.study.lock.REPORTS_PATIENCE", 0)
    with hold_reports(littered.folder, "quick"), pytest.raises(StudyHeldError), held(littered.folder):
        pass


def test_a_run_in_a_report_stays_and_so_does_one_of_any_profile(littered):
    other = f"small/{littered.other.name}"
    assert other not in found_in(littered, [("small", littered.other.name[:12])])
    assert other in found_in(littered, [("another", littered.other.name[:12])])
    spec = json.loads(littered.notebook.with_name("study.yaml").read_text())
    spec["profiles"]["paper"] = {"grid": [{"name": "base", "set": {"seed": 7}}]}
    littered.notebook.with_name("study.yaml").write_text(json.dumps(spec))
    assert other not in found_in(littered)


def test_checkpoints_that_can_be_gone_on_from_stay(littered):
    (littered.twice / "checkpoints" / "code").write_text(checkpoints.code())
    assert f"small/{littered.twice.name}/checkpoints" not in found_in(littered)


def test_runs_of_a_study_that_is_gone_are_referred_to_by_nothing(littered):
    found = leftovers([], littered.folder, frozenset())
    assert sum(one.reason == "a run of no profile of a study and in no report" for one in found) == 3


def test_links_are_not_followed(littered, tmp_path):
    outside = tmp_path / "outside"
    shutil.move(littered.other, outside)
    littered.other.symlink_to(outside)
    assert f"small/{littered.other.name}" not in found_in(littered)
    (littered.twice / "attempts" / "1" / "link").symlink_to(outside)
    remove(leftovers([littered.study()], littered.folder, frozenset()))
    assert (outside / "run.json").is_file()


def test_nothing_is_cleaned_while_a_study_runs(littered):
    from gradstudy.errors import StudyHeldError

    with hold(littered.folder / "runs" / "small"), pytest.raises(StudyHeldError), held(littered.folder):
        pass


def test_a_run_at_work_stays_whoever_started_it(littered):
    with hold_run(littered.other), hold_run(littered.twice):
        assert set(found_in(littered)) == {".probe-123", f"small/{littered.once.name}/records/.value.json.abc.part"}
    assert len(found_in(littered)) == 5


def call(workspace, *arguments, stdin=subprocess.DEVNULL):
    command = [sys.executable, "-m", "gradstudy.cli", "clean", "--workspace", workspace.folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=stdin)


def test_the_command_says_what_first_and_refuses_without_a_terminal(littered):
    before = tree(littered.folder)
    said = call(littered)
    assert said.returncode == 2
    assert f"runs/small/{littered.other.name}: a run of no profile of a study and in no report, 0.0 MB\n" in said.stdout
    assert "5 to remove" in said.stdout
    assert "--yes" in said.stderr
    assert tree(littered.folder) >= before
    told = json.loads(call(littered, "--json").stdout)
    assert (told["removed"], len(told["leftovers"])) == (False, 5)
    said = call(littered, "--yes", "--json")
    found = json.loads(said.stdout)
    assert (said.returncode, found["removed"], len(found["leftovers"])) == (0, True, 5)
    assert not littered.other.exists()
    assert call(littered).stdout == "0 to remove, 0.0 MB\n"


def test_a_report_that_cannot_be_read_stops_it(littered):
    report = littered.folder / "reports" / "quick" / "small" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text('{"runs": ')
    said = call(littered, "--yes")
    assert said.returncode == 1
    assert "quick/small/report.json cannot be read" in said.stderr
    assert littered.other.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "stays"), [(b"n\n", True), (b"y\n", False)])
def test_on_a_terminal_it_asks(littered, answer, stays):
    import pty

    master, slave = pty.openpty()
    os.write(master, answer)
    said = call(littered, stdin=slave)
    os.close(slave)
    os.close(master)
    assert said.returncode == 0
    assert "Remove these 5? [y/N]" in said.stderr
    assert littered.other.exists() is stays


def test_a_real_report_keeps_its_runs(workspace):
    process = workspace.start("small")
    process.communicate(timeout=120)
    (run,) = workspace.folder.glob("runs/small/[0-9a-f]*")
    workspace.profile(grid=[{"name": "base", "over": {"seed": [5]}}])
    assert json.loads(call(workspace, "--yes", "--json").stdout)["leftovers"] == []
    # So does one that a builder, killed while it replaced it, has left aside.
    aside = workspace.folder / "reports" / "quick" / ".small.ab12cd_9"
    aside.mkdir()
    (workspace.folder / "reports" / "quick" / "small").rename(aside / "old")
    assert json.loads(call(workspace, "--yes", "--json").stdout)["leftovers"] == []
    shutil.rmtree(workspace.folder / "reports")
    assert len(json.loads(call(workspace, "--yes", "--json").stdout)["leftovers"]) == 1
    assert not run.exists()
