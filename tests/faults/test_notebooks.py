"""Oracle: what a misbehaving notebook does to itself must be told of it alone, and change no neighbour's result.

Kernels that end themselves or are left without memory are in tests/study, where the notebook of the small study has a
mood for each.
"""

import json

import nbformat


def test_a_notebook_that_prints_100_mb_is_kept_and_costs_no_other(six, undisturbed):
    notebook = six.folder / "studies" / "six" / "notebook.py"
    chatter = '\nif seed == 0:\n    for _ in range(1000):\n        print("x" * 100_000)\n'
    notebook.write_text(notebook.read_text() + chatter)
    found = six.run()
    assert [run["state"] for run in found["runs"]] == ["ok"] * 6
    loud = next(run for run in six.runs() if (run / "log").stat().st_size > 1000)
    assert (loud / "log").stat().st_size == 100_001_000
    kept = nbformat.read(loud / "notebook.ipynb", 4)
    assert sum(len(output.get("text", "")) for cell in kept.cells for output in cell.get("outputs", ())) >= 100_000_000


def test_a_notebook_that_changes_its_folder_leaves_its_records_where_they_belong(six, undisturbed):
    notebook = six.folder / "studies" / "six" / "notebook.py"
    notebook.write_text(notebook.read_text().replace("draws = ", 'import os\n\nos.chdir("/")\ndraws = '))
    found = six.run("-p", "seed=3")
    assert [run["state"] for run in found["runs"]] == ["ok"]
    (run,) = six.runs()
    mean = json.loads((run / "records" / "mean.json").read_text())
    others = [json.loads((other / "records" / "mean.json").read_text()) for other in undisturbed.runs()]
    assert mean in others
