"""Executing a notebook with papermill; no other module imports papermill."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import papermill
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager, papermill_engines
from papermill.iorw import LocalHandler, papermill_io

from gradstudy.records import storage_error
from gradstudy.study import evidence
from gradstudy.study.engine import GradstudyEngine
from gradstudy.study.memory import last_words, ran_out
from gradstudy.study.notebook import KERNELSPEC
from gradstudy.study.outcome import Failure, Outcome

# Seconds for the kernel's last word; a kernel that is alive needs milliseconds.
EVIDENCE_TIMEOUT = 60
START_TIMEOUT = 120
# Seconds for the rest of a cell's output in a run without a limit.
OUTPUT_TIMEOUT = 3600
LONGEST_SOCKET = 100
# What papermill writes: it formats output paths, so never one with a name from outside in it.
NOTEBOOK = "notebook.ipynb"


class NotebookStoppedError(Exception):
    """A notebook that did not reach its end, and how it stopped."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.status}: {outcome.failure}")
        self.outcome = outcome


@dataclass(frozen=True)
class Options:
    """How a notebook is run.

    Args:
        timeout: seconds for all cells together; None for no limit.
        folder: where the kernel leaves its evidence; None for none.
        memory: megabytes to which the run was held, for those who are told that it ran out; None for no limit.
        on_kernel: called with the kernel's process id once it has started.
        log: where what the cells print goes as well, and what the kernel says; None for stderr.
    """

    timeout: float | None = None
    folder: Path | None = None
    memory: int | None = None
    on_kernel: Callable[[int], None] | None = None
    log: TextIO | None = None


def execute(node: Any, parameters: Mapping[str, Any], options: Options) -> Outcome:
    """Execute a notebook in the current folder, which gets `notebook.ipynb`.

    Args:
        node: nbformat node with a parameters cell.
        parameters: checked before; papermill writes them as code into a cell after the parameters cell.
        options: limits, and who wants to know what.
    """
    # The entry point does the same wherever the package's metadata is installed.
    papermill_engines.register("gradstudy", GradstudyEngine)
    papermill_io.register(NOTEBOOK, _WholeFiles())
    try:
        papermill.execute_notebook(
            node,
            NOTEBOOK,
            parameters=dict(parameters),
            engine_name="gradstudy",
            progress_bar=False,
            options=options,
        )
    except NotebookStoppedError as stopped:
        return stopped.outcome
    except KeyboardInterrupt:
        return Outcome("interrupted", Failure("KeyboardInterrupt", "interrupted before or after the notebook"))
    except Exception as error:
        return Outcome("failed", Failure.of_error(error))
    return Outcome("ok")


def execute_managed(
    nb: Any,
    output_path: str | None = None,
    log_output: bool = False,
    execution_timeout: float | None = None,
    options: Options | None = None,
    **_: Any,
) -> Any:
    """What `GradstudyEngine.execute_notebook` does: run all cells, and keep what was reached whatever happens."""
    options = options or Options(timeout=execution_timeout)
    manager = NotebookExecutionManager(nb, output_path, log_output, progress_bar=False)
    manager.notebook_start()
    with tempfile.TemporaryDirectory(prefix="gs-") as place:
        client = _Client(manager, Path(place), options)
        try:
            client.execute(cwd=str(options.folder or os.getcwd()), env=_kernel_environment(Path(place)))
        # Whatever it was, an interrupt included: the notebook must not look as if it had come to its end.
        except BaseException as error:
            nb.metadata.papermill["exception"] = True
            with suppress(OSError):  # the disk may be what failed; the outcome says so
                manager.save()
            raise NotebookStoppedError(client.outcome(error)) from error
        finally:
            client.end_kernel()
    manager.notebook_complete()
    return manager.nb


class _WholeFiles(LocalHandler):
    """papermill's files, written whole or not at all: on a full disk the notebook stays as it was last saved."""

    def write(self, buf: str, path: str) -> None:
        whole = Path(path)
        part = whole.with_name(f".{whole.name}.part")
        try:
            # Before and after every cell: it need not have reached the disk each time, as what counts must.
            part.write_text(buf, encoding="utf-8")
            part.replace(whole)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise storage_error(whole, error) from error


class _OwnKernel(KernelSpecManager):
    """One kernel: this Python. What is installed under the name `python3` may be another."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        # A notebook that changes its folder must not begin to import what lies there.
        return KernelSpec(argv=[*argv, "--IPKernelApp.ignore_cwd=True"], interrupt_mode="signal", **KERNELSPEC)


class _Client(PapermillNotebookClient):
    """papermill's client with one deadline for all cells, IPC transport and the evidence request at the end."""

    def __init__(self, manager: NotebookExecutionManager, place: Path, options: Options) -> None:
        deadline = time.monotonic() + options.timeout if options.timeout else None
        super().__init__(
            manager,
            timeout=EVIDENCE_TIMEOUT,
            timeout_func=(lambda cell: max(0.01, deadline - time.monotonic())) if deadline else None,
            startup_timeout=START_TIMEOUT,
            # A cell that prints a lot has ended long before its output is here; only the run's own limit counts.
            iopub_timeout=math.ceil(options.timeout or OUTPUT_TIMEOUT),
            shutdown_kernel="immediate",
            kernel_name=KERNELSPEC["name"],
            stdout_file=options.log or sys.stderr,
            stderr_file=options.log or sys.stderr,
        )
        if not deadline:
            self.timeout_func = lambda cell: None
        self._place, self._options = place, options
        self._process: Any = None

    def create_kernel_manager(self) -> Any:
        connection = str(self._place / "kernel.json")
        # The name of a local socket may be as long as this on every Unix (macOS allows the least, 103).
        short = len(os.fsencode(connection)) + len("-ipc-5") <= LONGEST_SOCKET
        local = {"transport": "ipc"} if os.name == "posix" and short else {}
        self.km = AsyncKernelManager(kernel_spec_manager=_OwnKernel(), connection_file=connection, **local)
        return self.km

    def start_new_kernel(self, **kernel: Any) -> None:
        """As nbclient's, but the process is known before the kernel answers: an interrupt may come in between."""
        super().start_new_kernel(**kernel)
        self._process = getattr(self.km.provisioner, "process", None)
        if self._options.on_kernel and self._process:
            self._options.on_kernel(self._process.pid)

    def execute(self, **kernel: Any) -> Any:
        self.reset_execution_trackers()
        with self.setup_kernel(**kernel):
            if self._options.memory:
                self._execute_silently(last_words())
            self.papermill_execute_cells()
            self._ask_for_evidence()
            self.set_widgets_metadata()
        return self.nb

    def end_kernel(self) -> None:
        """Kill the kernel if it is still there: nbclient leaves one behind whose start was interrupted."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def papermill_execute_cells(self) -> None:
        """As papermill's, but every exception marks its cell as failed and goes on to the caller."""
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except BaseException as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                raise
            self.nb_man.cell_complete(cell, cell_index=index)

    def outcome(self, error: BaseException) -> Outcome:
        """What an exception says about the run."""
        if isinstance(error, CellExecutionError):
            return _of_cell(error, self._options.memory)
        if isinstance(error, CellTimeoutError):
            return Outcome("timeout", Failure("Timeout", f"not done after {self._options.timeout:g} s"))
        # A kernel that dies while it starts is told by jupyter_client as a RuntimeError.
        if isinstance(error, DeadKernelError) or (isinstance(error, RuntimeError) and "Kernel died" in str(error)):
            return Outcome("killed", Failure("DeadKernel", f"the kernel ended {_manner(self._process)}"))
        if isinstance(error, KeyboardInterrupt | SystemExit):
            return Outcome("interrupted", Failure("Interrupted", "the run was interrupted"))
        return Outcome("failed", Failure.of_error(error))

    def _ask_for_evidence(self) -> None:
        if self._options.folder is None:
            return
        reply = self._execute_silently(evidence.request(self._options.folder))
        if reply["status"] != "ok":
            raise RuntimeError(f"the run left no evidence: {reply.get('ename')}: {reply.get('evalue')}")

    def _execute_silently(self, code: str) -> Any:
        message = self.kc.execute(code, silent=True, store_history=False)
        return self.wait_for_reply(message)["content"]


def _of_cell(error: CellExecutionError, memory: int | None) -> Outcome:
    failure = Failure.of(error.ename, error.evalue)
    if ran_out(error.ename, error.evalue):
        held = f"it was held to {memory} MB; " if memory else ""
        return Outcome("oom", replace(failure, remedy=f"{held}`memory` in the profile in study.yaml gives it more"))
    return Outcome("no-data" if error.ename == "NoDataError" else "failed", failure)


def _manner(process: Any) -> str:
    code = process.poll() if process is not None else None
    if code is None:
        return "for an unknown reason"
    return f"with signal {-code}" if code < 0 else f"with exit code {code}"


def _kernel_environment(place: Path) -> dict[str, str]:
    # A profile of the person who runs it (startup files, settings) would be part of the result and of no record.
    return {**os.environ, "IPYTHONDIR": str(place / "ipython"), "PYTHONHASHSEED": "0"}
