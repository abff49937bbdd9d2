"""Oracle: the limit itself. Real kernels allocate without end, or more at once than there is, and are not killed."""

import json
import subprocess
import sys

import nbformat
import pytest

from gradstudy.study import memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps RLIMIT_DATA")
def test_runs_without_memory_are_oom_keep_notebook_and_log_and_cost_no_other(workspace):
    # Large pieces, small ones up to the last kilobyte, and more at once than there is.
    moods = {"hoard": "MemoryError", "crumbs": "MemoryError", "tensor": "RuntimeError"}
    workspace.moods(*moods, "good", memory=500)
    tally = workspace.run()
    assert [planned.state.kind for planned in tally.plans[0].points] == ["oom", "oom", "oom", "ok"]
    assert tally.failed
    for planned in tally.plans[0].points[:3]:
        mood = planned.point.parameters["mood"]
        entry = workspace.entries()[mood]
        assert (entry["status"], entry["error"]["name"]) == ("oom", moods[mood])
        assert entry["error"]["remedy"].startswith("it was held to 500 MB; `memory` in the profile")
        notebook = nbformat.read(planned.folder / "notebook.ipynb", 4)
        assert notebook.metadata.papermill.exception is True
        assert ("before\n" in (planned.folder / "log").read_text()) is (mood == "hoard")


def test_the_limit_is_that_of_the_profile_and_no_part_of_the_identity(workspace):
    text = workspace.notebook.read_text()
    told = 'import resource\ngs.record("limit", resource.getrlimit(resource.RLIMIT_DATA)[0])\n'
    workspace.notebook.write_text(text + told)
    workspace.profile(memory=700)
    workspace.run()
    assert json.loads((workspace.run_folder() / "records" / "limit.json").read_text()) == 700 * 2**20
    workspace.profile(memory=800)
    assert workspace.states() == ["cached"]


def test_the_share_is_that_of_the_threads_within_reason(monkeypatch):
    monkeypatch.setattr(memory, "_machine", lambda: 100_000 * 2**20)
    assert memory.share(1, 10) == 9_000
    assert memory.share(5, 10) == 45_000
    assert memory.share(20, 10) == 90_000, "oversubscribed: nine tenths, never more"
    assert memory.share(1, 100) == 4096
    monkeypatch.setattr(memory, "_machine", lambda: 2_000 * 2**20)
    assert memory.share(1, 4) == 1_800


def test_what_a_container_may_take_counts(monkeypatch, tmp_path):
    whole = memory._machine()
    assert whole > 0
    bound = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_MOUNTED", {"": (tmp_path, bound.name), "memory": (tmp_path / "absent", "limit")})
    bound.write_text("max\n")
    assert memory._machine() > 2**20
    bound.write_text(f"{2**20}\n")
    assert memory._machine() == 2**20


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_batch_job_may_take_counts_wherever_it_is_bound(monkeypatch, tmp_path, version):
    """SLURM bounds the job, and neither the machine's root nor the step, in which the process is."""
    job = tmp_path / "slurm" / "job_7"
    (job / "step_0").mkdir(parents=True)
    for folder in (tmp_path, job / "step_0"):
        (folder / "limit").write_text("max\n" if version == 2 else f"{2**60}\n")
    (job / "limit").write_text(f"{2**20}\n")
    monkeypatch.setattr(memory, "_MOUNTED", {"" if version == 2 else "memory": (tmp_path, "limit")})
    groups = tmp_path / "cgroup"
    monkeypatch.setattr(memory, "_GROUPS", groups)
    own = "0::" if version == 2 else "4:cpu,cpuacct:/elsewhere\n9:hugetlb,memory:"
    groups.write_text(f"{own}/slurm/job_7/step_0\n")
    assert memory._machine() == 2**20
    groups.write_text(f"{own}/\n")
    assert memory._machine() > 2**20


def test_a_limit_is_lowered_under_a_hard_one_and_not_refused():
    code = (
        "import resource; from gradstudy.study.memory import limit\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)); limit(10_000)\n"
        "print(resource.getrlimit(resource.RLIMIT_DATA))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == f"({2**30}, {2**30})\n"


@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        ("MemoryError", "", True),
        ("_ArrayMemoryError", "Unable to allocate 7.28 TiB", True),
        ("OutOfMemoryError", "CUDA out of memory", True),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", True),
        ("OSError", "[Errno 12] Cannot allocate memory", True),
        ("RuntimeError", "as planned", False),
        ("ValueError", "can't allocate memory", False),
    ],
)
def test_what_an_exception_says_of_memory(name, message, expected):
    assert memory.ran_out(name, message) is expected
