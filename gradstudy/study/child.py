"""One run in a process of its own: `python -m gradstudy.study.child`, the request as JSON on stdin, cwd = run folder.

It leaves notebook.ipynb, records and run.json, and tells its parent on stdout, one JSON object a line, the kernel's
process id and the outcome: the disk may be full, and a kernel outlives a parent that is killed.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gradstudy.errors import RecordError, StorageError
from gradstudy.records import RUN_VARIABLE
from gradstudy.study.checkpoints import drop
from gradstudy.study.ledger import write_entry
from gradstudy.study.memory import limit
from gradstudy.study.outcome import Failure, Outcome

Tell = Callable[[dict[str, Any]], None]


def main() -> int:
    """Execute the request on stdin; 0 when run.json was written, whatever it says."""
    tell = _take_stdout()
    request = json.loads(sys.stdin.buffer.read())
    folder = Path.cwd()
    started = datetime.datetime.now(datetime.UTC)
    clock = time.monotonic()
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _end_with_parent(request.get("lifeline"))
        limit(request["memory"])
        os.environ.update(environment(folder, request["threads"]))
        outcome, evidence = _run(request, folder, tell)
    except KeyboardInterrupt:
        outcome, evidence = Outcome("interrupted", Failure("Interrupted", "the run was interrupted")), None
    # What remains takes milliseconds and must not be torn.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    seconds = round(time.monotonic() - clock, 3)
    details = {"evidence": evidence, "started": started.isoformat(timespec="seconds"), "seconds": seconds}
    details |= {key: request[key] for key in ("attempt", "retries")}
    try:
        write_entry(folder, request, outcome, details)
        if outcome.status == "ok":
            drop(folder)
    except StorageError as error:
        tell({"outcome": Outcome("failed", Failure.of_error(error)).as_json()})
        return 1
    tell({"outcome": outcome.as_json()})
    return 0


def environment(folder: Path, threads: int) -> dict[str, str]:
    """Variables that pin a run's threads: set before the kernel starts, for numerical libraries read them once."""
    count = str(threads)
    pinned = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return {
        RUN_VARIABLE: str(folder),
        **dict.fromkeys(pinned, count),
        # Without these, OpenMP and MKL may use fewer than they were given, and torch with them.
        "OMP_DYNAMIC": "FALSE",
        "MKL_DYNAMIC": "FALSE",
        # Threads that wait for others' cores must sleep; a run that has all cores to itself may let them spin between
        # parallel regions, as they do for a user: sleeping there made small products twice as slow.
        **({"OMP_WAIT_POLICY": "passive"} if threads < (os.cpu_count() or 1) else {}),
    }


def _run(request: dict[str, Any], folder: Path, tell: Tell) -> tuple[Outcome, Any]:
    # papermill and jupytext take a second to import; the signals are in place by now.
    import logging

    from gradstudy.study import library
    from gradstudy.study.columns import check_records
    from gradstudy.study.evidence import stamps, take
    from gradstudy.study.execution import Options, execute
    from gradstudy.study.notebook import to_node

    # Its regular expression for parameters knows no Literal[...] and warns of each as unknown; ours were checked.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ.update(library.bring(request["library"], folder))
    options = Options(request["timeout"], folder, request["memory"], lambda pid: tell({"kernel": pid}))
    before = stamps()
    outcome = execute(to_node(request["notebook"]), request["parameters"], options)
    if outcome.status != "ok":
        return outcome, None
    evidence = take(folder, before)
    try:
        check_records(folder, request["parameters"])
    except RecordError as error:
        return Outcome("failed", Failure.of_error(error)), None
    return outcome, evidence


def _take_stdout() -> Tell:
    """Keep stdout for the parent; whatever else is printed from here on goes to the log."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(message: dict[str, Any]) -> None:
        with suppress(OSError):  # the parent may be gone
            print(json.dumps(message), file=channel, flush=True)

    return tell


def _end_with_parent(lifeline: int | None) -> None:
    """Interrupt this process when the other end of a pipe closes: the parent was killed, nobody will stop the run."""
    if lifeline is None:
        return

    def wait() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
