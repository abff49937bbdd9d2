"""Locks on studies and on a profile's reports.

Oracle: two processes, of which one holds and the other is looked at.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from gradstudy.errors import StudyHeldError
from gradstudy.study import lock
from gradstudy.study.executor import Budget
from gradstudy.study.lock import check_free, hold, hold_reports, is_held
from gradstudy.study.progress import Lines
from gradstudy.study.runner import Order, run_studies
from gradstudy.study.workspace import study_runs

HOLDER = """
import sys
from pathlib import Path
from gradstudy.study.lock import hold

with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_study_is_refused_and_its_holder_named(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "study")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for refused in (check_free, lambda folder: hold(folder).__enter__()):
            with pytest.raises(StudyHeldError, match=rf"'study' is held by process {holder.pid} on"):
                refused(tmp_path / "study")
        holder.communicate(timeout=60)
    check_free(tmp_path / "study")
    check_free(tmp_path / "never held")


def test_who_builds_reports_second_waits(tmp_path, monkeypatch):
    ended = []

    def second():
        with hold_reports(tmp_path, "quick"):
            ended.append(time.monotonic())

    with hold_reports(tmp_path, "quick"):
        thread = threading.Thread(target=second)
        thread.start()
        with hold_reports(tmp_path, "standard"):
            time.sleep(0.3)
        let_go = time.monotonic()
    thread.join(10)
    assert ended[0] >= let_go
    monkeypatch.setattr(lock, "REPORTS_PATIENCE", 0.1)
    with hold_reports(tmp_path, "quick"), pytest.raises(StudyHeldError, match="reports 'quick'"):
        hold_reports(tmp_path, "quick").__enter__()


def test_a_study_stays_held_until_its_report_is_built(workspace):
    study = workspace.study()
    folder = study_runs(workspace.folder, study.slug)
    with ExitStack() as holds:
        order = Order("quick", budget=Budget(1, 2))
        assert not run_studies([study], workspace.folder, order, Lines(), holds=holds).failed
        assert is_held(folder)
    assert not is_held(folder)
    run_studies([study], workspace.folder, order, Lines())
    assert not is_held(folder)
