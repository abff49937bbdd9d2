"""How much memory a run may take: one that allocates without end must end itself, and not its neighbours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 2**20
# Python with torch, pandas and seaborn loaded takes 250 MB; a run that measures in earnest, up to two thousand.
FLOOR = 4096
# What is left to the system, the runner and the file cache.
RESERVE = 0.1

# Control groups bound what a container or a batch job may take: its own and all above, of version 2 and version 1.
_GROUPS = Path("/proc/self/cgroup")
_MOUNTED = {
    "": (Path("/sys/fs/cgroup"), "memory.max"),
    "memory": (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
}
_LAST_WORDS = f"""
def _prepare():
    try:
        import resource
    except ImportError:
        return

    def lift(shell, kind, error, trace, tb_offset=None):
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        more = soft + {64 * MEGABYTE}
        resource.setrlimit(resource.RLIMIT_DATA, (hard if 0 <= hard < more else more, hard))
        return shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)

    get_ipython().set_custom_exc((MemoryError,), lift)


_prepare()
del _prepare
"""
_RAISED = frozenset({"MemoryError", "_ArrayMemoryError", "OutOfMemoryError"})
_SAID = ("can't allocate memory", "Cannot allocate memory", "not enough memory", "std::bad_alloc")


def share(threads: int, cores: int) -> int:
    """Megabytes that a run may take by default: of the machine's memory as much as its threads are of the cores.

    Never less than 4 GB, for what is reserved and not used costs nobody anything, and never more than nine tenths of
    the machine.
    """
    available = int(_machine() * (1 - RESERVE)) // MEGABYTE
    return min(max(available * threads // max(cores, 1), FLOOR), available)


def limit(megabytes: int) -> None:
    """Hold this process and those it will start, each by itself, to so much private memory (RLIMIT_DATA).

    Over it, an allocation fails with a clean MemoryError. Held on Linux; macOS takes the limit and does not keep it,
    Windows has none.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


@contextmanager
def limited(megabytes: int) -> Iterator[None]:
    """As `limit`, for this process and those that it starts meanwhile; afterwards it is as before."""
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit(megabytes)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def last_words() -> str:
    """Code that lets a kernel which has run out of memory say so: on a MemoryError its limit is lifted a little.

    Otherwise a cell that has filled the last kilobyte leaves none to show its traceback, and the kernel dies of it. The
    code leaves no name behind and imports nothing of gradstudy, which would become evidence.
    """
    return _LAST_WORDS


def ran_out(name: str, message: str) -> bool:
    """Whether an exception, by its name and what it said, means that there was no memory left."""
    return name in _RAISED or (name in ("RuntimeError", "OSError") and any(said in message for said in _SAID))


def _machine() -> int:
    if not hasattr(os, "sysconf"):  # Windows, where nothing is limited
        return FLOOR * MEGABYTE * 2
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(bound for path in _bounds(_own_groups()) if (bound := _bound(path)) is not None)])


def _own_groups() -> str:
    try:
        return _GROUPS.read_text()
    except OSError:  # not Linux
        return ""


def _bounds(groups: str) -> Iterator[Path]:
    """Files that may bound this process, by the lines `number:controllers:/path` of its control groups."""
    for line in ["0::/", "0:memory:/", *groups.splitlines()]:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            if controller in _MOUNTED:
                root, file = _MOUNTED[controller]
                own = root / path.lstrip("/")
                yield from (folder / file for folder in (own, *own.parents) if folder.is_relative_to(root))


def _bound(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # there is none, or it says "max"
        return None
