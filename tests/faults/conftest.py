"""A study of six runs whose notebook imports neither torch nor pandas, what its report is undisturbed, and a killer."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

# Moments and victims are drawn from it; a test's name says which draw.
SEED = 20130616
# A study may be over before a drawn moment comes; it is drawn again, at most so often.
DRAWS = 20

NOTEBOOK = """# %%
import time

import numpy as np

import gradstudy as gs

# %% tags=["parameters"]
seed: int = 0

# %%
draws = np.random.default_rng(seed).normal(size=1000)
gs.record("draws", draws)
time.sleep(0.3)

# %%
gs.record("mean", float(draws.mean()))
"""
STUDY = {
    "title": "Six",
    "question": "q",
    "method": "m",
    "profiles": {"quick": {"grid": [{"name": "base", "over": {"seed": [0, 1, 2, 3, 4, 5]}}]}},
}


class Six:
    """A workspace with the study, and `gradstudy run` in it as users start it."""

    # What comes before the command, where it is not to have all rights of who runs the tests.
    dropped = ()

    def __init__(self, folder):
        self.folder = folder
        study = folder / "studies" / "six"
        study.mkdir(parents=True)
        (study / "notebook.py").write_text(NOTEBOOK)
        (study / "study.yaml").write_text(json.dumps(STUDY))

    def with_rights_dropped(self):
        """The study, run without root's right to write anywhere, which is given up first."""
        if os.geteuid() == 0:
            self.dropped = ("setpriv", "--bounding-set", "-dac_override")
        return self

    def start(self, *arguments):
        """`gradstudy run`, in a process that can be killed."""
        run = ["-m", "gradstudy.cli", "run", "six", "--json", "--workspace", "."]
        command = [*self.dropped, sys.executable, *run, *arguments]
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        finally:
            signal.signal(signal.SIGINT, before)

    def run(self, *arguments):
        """`gradstudy run` to its end; what it says as JSON."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return json.loads(out)

    def fails(self, code, *arguments):
        """`gradstudy run` to its end, which comes with this exit code and no traceback; what it says on stderr."""
        process = self.start(*arguments)
        _, err = process.communicate(timeout=300)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return err

    def unfinished(self):
        """How many runs are not done, once nothing is at work any more that a killed process has left."""
        from gradstudy.study.catalog import find_study
        from gradstudy.study.lock import is_held
        from gradstudy.study.plan import make_plan

        points = make_plan(find_study("six", self.folder), "quick", self.folder).points
        folders = [self.folder / "runs" / "six", *(point.folder for point in points)]
        self.wait_for(lambda: not any(is_held(folder) for folder in folders))
        points = make_plan(find_study("six", self.folder), "quick", self.folder).points
        return sum(point.state.kind != "cached" for point in points)

    def report(self):
        """Every file of the report, as bytes."""
        place = self.folder / "reports" / "quick" / "six"
        return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}

    def runs(self):
        """Folders of the runs."""
        return sorted(self.folder.glob("runs/six/[0-9a-f]*"))

    def attempts(self):
        """Statuses of all attempts before a run's last one; None where the attempt left no word of its end."""
        return [
            json.loads((attempt / "run.json").read_text())["status"] if (attempt / "run.json").is_file() else None
            for attempt in self.folder.glob("runs/six/*/attempts/*")
        ]

    def processes(self, module):
        """Processes of the workspace's runs that were started with this module, as far as they are to be seen."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                own = process.environ().get("GRADSTUDY_RUN", process.cwd()).startswith(str(self.folder))
                if own and module in process.cmdline():
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)

    def moment(self, draw):
        """A moment between the first run's start and the study's end, as this one took, in seconds after the start."""
        return draw.uniform(self.begin, self.seconds)

    @staticmethod
    def wait_for(condition, seconds=120):
        """Wait until something is so, and return it."""
        until = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < until:
            time.sleep(0.05)
        assert found, "waited in vain"
        return found

    def recovers(self, undisturbed):
        """Assert that the next run does exactly what is unfinished, and ends with the undisturbed report."""
        left = self.unfinished()
        found = self.run()
        assert found["executed"] == left
        assert {run["state"] for run in found["runs"]} <= {"ok", "cached"}
        assert self.report() == undisturbed.report()
        assert self.unfinished() == 0


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The study, run without any disturbance; `seconds` is how long that took, `begin` how long to the first run."""
    six = Six(tmp_path_factory.mktemp("undisturbed"))
    started = time.monotonic()
    process = six.start()
    six.wait_for(six.runs)
    six.begin = time.monotonic() - started
    process.communicate(timeout=300)
    six.seconds = time.monotonic() - started
    assert process.returncode == 0
    assert "numpy" in json.loads((six.runs()[0] / "run.json").read_text())["evidence"]["versions"]
    return six


@pytest.fixture
def six(tmp_path):
    return Six(tmp_path / "work {0} $HOME '")


@pytest.fixture
def sixes(tmp_path):
    """The study in a fresh folder, again and again."""
    return (Six(tmp_path / f"work {number} {{0}} $HOME '") for number in itertools.count())


@pytest.fixture
def small_sixes(mount):
    """The study on a fresh disk of 1 MB, again and again."""
    return (Six(mount() / "work") for _ in itertools.count())


@pytest.fixture
def open_sixes():
    """The study in a fresh folder that anybody may reach, run by somebody without root's right to write anywhere."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        studies = (Six(Path(place) / f"work {number}") for number in itertools.count())
        yield (six.with_rights_dropped() for six in studies)


@pytest.fixture
def until_hit():
    """Strike at one study after the other, until what was drawn came in time to hit something."""

    def strike_until_hit(sixes, strike):
        assert any(strike(six) for six in itertools.islice(sixes, DRAWS)), f"{DRAWS} draws have hit nothing"

    return strike_until_hit


@pytest.fixture
def finished(tmp_path, undisturbed):
    """A copy of the finished study, to be spoilt."""
    shutil.copytree(undisturbed.folder / "runs", tmp_path / "finished" / "runs")
    return Six(tmp_path / "finished")


@pytest.fixture
def draw(request):
    """A stream of random numbers that belongs to the test's name."""
    return random.Random(f"{SEED} {request.node.name}")
