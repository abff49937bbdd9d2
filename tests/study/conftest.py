"""A workspace with one small study, whose kernel imports neither torch nor pandas, and a disk that is soon full."""

import json
import signal
import subprocess
import sys

import pytest

NOTEBOOK = """# %% [markdown]
# # A small study

# %%
import os
import time
from typing import Literal

import gradstudy as gs

# %% tags=["parameters"]
seed: int = 0
gain: float = 1.0
mood: Literal[
    "good", "raise", "kill", "exit", "leave", "sleep", "no-data", "wander", "full", "twice", "hoard", "crumbs",
    "tensor", "chatter",
] = "good"

# %%
if mood == "raise":
    raise RuntimeError("as planned")
if mood == "kill":
    os.kill(os.getpid(), 9)
if mood == "exit":
    os._exit(3)
if mood == "leave":
    raise SystemExit(0)
if mood == "sleep":
    time.sleep(100)
if mood == "no-data":
    from gradstudy.errors import NoDataError

    raise NoDataError("no chorales", needed="chorales", why="they are measured", remedy="fetch chorales")
if mood == "wander":
    os.chdir("/")
if mood == "full":
    gs.record("large", ["x" * 1000] * 2000)
if mood == "hoard":
    print("before")
    hoard = []
    while True:
        hoard.append(bytearray(10_000_000))
if mood == "crumbs":
    hoard = []
    while True:
        hoard.append(object())
if mood == "tensor":
    import torch

    torch.empty(10**13)
if mood == "chatter":
    for line in range(1000):
        print("x" * 100_000)
if mood == "twice":
    path = gs.checkpoint_path("half")
    if path.is_file():
        gs.record("half", path.read_text())
    else:
        path.write_text("done before")
        os.kill(os.getpid(), 9)

# %%
print("seed", seed)
gs.record("value", {"seed": seed, "omp": os.environ["OMP_NUM_THREADS"], "folder": os.environ["GRADSTUDY_RUN"]})
"""

PROFILE = {"timeout": 60, "grid": [{"name": "base", "over": {"seed": [0]}}]}


class Workspace:
    """A folder with the study `small`, and what a test wants to do with it."""

    def __init__(self, folder):
        self.folder = folder
        self.notebook = folder / "studies" / "small" / "notebook.py"
        self.notebook.parent.mkdir(parents=True)
        self.notebook.write_text(NOTEBOOK)
        self.profile(**PROFILE)

    def profile(self, **quick):
        """Write study.yaml with that quick profile (JSON is YAML)."""
        spec = {"title": "Small", "question": "q", "method": "m", "profiles": {"quick": {**PROFILE, **quick}}}
        self.notebook.with_name("study.yaml").write_text(json.dumps(spec))

    def moods(self, *moods, **quick):
        """One point a mood."""
        self.profile(grid=[{"name": "base", "over": {"mood": list(moods)}}], **quick)

    def study(self):
        from gradstudy.study.catalog import find_study

        return find_study("small", self.folder)

    def run(self, *, cores=2, **order):
        """Run what is needed; the tally's points, by mood and seed."""
        from gradstudy.study.executor import Budget
        from gradstudy.study.progress import Lines
        from gradstudy.study.runner import Order, run_studies

        order = Order("quick", budget=order.pop("budget", Budget(cores=cores)), **order)
        return run_studies([self.study()], self.folder, order, Lines())

    def states(self):
        """State of every point."""
        from gradstudy.study.plan import make_plan

        return [str(planned.state) for planned in make_plan(self.study(), "quick", self.folder).points]

    def entries(self):
        """Every run.json, by mood."""
        entries = [json.loads(path.read_text()) for path in self.folder.glob("runs/small/*/run.json")]
        return {entry["parameters"]["mood"]: entry for entry in entries}

    def run_folder(self):
        """Folder of the only run."""
        (folder,) = self.folder.glob("runs/small/[0-9a-f]*")
        return folder

    def start(self, *arguments):
        """`gradstudy run` in a process of its own."""
        command = [sys.executable, "-m", "gradstudy.cli", "run", *arguments, "--workspace", self.folder]
        # A shell that starts the tests in the background has them, and all they start, ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        finally:
            signal.signal(signal.SIGINT, before)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    # Kernels are started in run folders: nothing may depend on where the tests were.
    monkeypatch.chdir(tmp_path)
    # papermill formats paths, shells split them: neither may see this one.
    return Workspace(tmp_path / "work {0} $HOME '")
