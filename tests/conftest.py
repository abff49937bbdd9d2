"""What all tests share: shapes of signatures checked at run time, disks that can be filled, and `--no-skips`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook

# The signatures of the measuring wing are checked against their jaxtyping shapes while the tests run; the entry points
# gradstudy.chains.time and .hooked check what they are given themselves, with named errors.
install_import_hook(
    ["gradstudy.chains.chain", "gradstudy.chains.links", "gradstudy.measure", "gradstudy.models"], "beartype.beartype"
)


# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("gradstudy", deadline=None)
hypothesis.settings.load_profile("gradstudy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --no-skips, for machines that have all that the tests need."""
    parser.addoption(
        "--no-skips", action="store_true", help="a skipped test fails, except for a GPU, or data without GRADSTUDY_DATA"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Turn skips into failures under --no-skips."""
    report = yield
    excused = item.get_closest_marker("needs_gpu") or (
        item.get_closest_marker("needs_data") and not os.environ.get("GRADSTUDY_DATA")
    )
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips") and not excused:
        report.outcome = "failed"
        report.longrepr = f"skipped under --no-skips: {report.longrepr}"
    return report


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Mount a disk of 1 MB, as often as called; only root may."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    with ExitStack() as mounted:

        def one_more() -> Path:
            disk = tmp_path / f"disk {len(list(tmp_path.glob('disk *')))}"
            disk.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
            mounted.callback(subprocess.run, ["umount", "-l", disk], check=True)
            return disk

        yield one_more


@pytest.fixture
def small_disk(mount: Callable[[], Path]) -> Path:
    """A disk of 1 MB."""
    return mount()
