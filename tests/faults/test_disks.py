"""Oracle: an undisturbed run of the same study. A disk that is full or closed costs what was being written, no more.

The disk is a tmpfs of 1 MB that is filled at a drawn moment; folders are closed to a process without root's rights.
"""

import os
import sys
import time

import pytest

DRAWS = [0, *(pytest.param(number, marks=pytest.mark.faults) for number in range(1, 8))]


def fill(disk):
    """Leave no byte free."""
    with open(disk / "ballast", "ab", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            try:
                while ballast.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


@pytest.mark.needs_root
@pytest.mark.parametrize("number", DRAWS)
def test_a_disk_that_fills_up_at_any_moment(until_hit, small_sixes, undisturbed, draw, number):
    def strike(six):
        disk = six.folder.parent
        process = six.start()
        time.sleep(undisturbed.moment(draw))
        fill(disk)
        _, err = process.communicate(timeout=300)
        if process.returncode == 0:
            return False
        assert process.returncode == 1
        assert "the disk is full" in err
        assert "Traceback" not in err
        # Nobody can begin on a full disk, and nothing of what is there is lost by trying.
        left = six.unfinished()
        assert "the disk is full" in six.fails(1)
        assert six.unfinished() == left
        (disk / "ballast").unlink()
        six.recovers(undisturbed)
        return True

    until_hit(small_sixes, strike)


@pytest.mark.needs_root
@pytest.mark.parametrize(
    "room", [250, *(pytest.param(room, marks=pytest.mark.faults) for room in (4, 16, 48, 150, 300))]
)
def test_a_disk_with_too_little_room(small_sixes, undisturbed, room):
    six = next(small_sixes)
    disk = six.folder.parent
    fill(disk)
    os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - 1024 * room)
    assert "the disk is full" in six.fails(1)
    (disk / "ballast").unlink()
    six.recovers(undisturbed)


def close(folder, *, again=False):
    """Close a folder and all in it to writing, or open it again."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755 if again else 0o555)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@pytest.mark.parametrize(
    "part", ["runs/six", *(pytest.param(part, marks=pytest.mark.faults) for part in ("runs", "reports", "."))]
)
def test_a_folder_that_is_closed_between_two_runs(open_sixes, undisturbed, part):
    six = next(open_sixes)
    process = six.start("--jobs", "2")  # with a core for each, all six would end at once
    six.wait_for(lambda: len(list(six.folder.glob("runs/six/*/run.json"))) >= 2)
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 130
    left = six.unfinished()
    assert 0 < left < 6
    (six.folder / part).mkdir(exist_ok=True)
    close(six.folder / part)
    try:
        err = six.fails(1)
        assert "the folder is read-only" in err
        assert "what to do: " in err
        # Where only reports cannot be written, the runs are done all the same.
        assert six.unfinished() == (0 if part == "reports" else left)
    finally:
        close(six.folder / part, again=True)
    six.recovers(undisturbed)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@pytest.mark.parametrize("number", DRAWS)
def test_a_folder_that_is_closed_at_any_moment(until_hit, open_sixes, undisturbed, draw, number):
    def strike(six):
        process = six.start()
        time.sleep(undisturbed.moment(draw))
        close(six.folder)
        try:
            _, err = process.communicate(timeout=300)
            if process.returncode == 0:
                return False
            assert process.returncode == 1
            assert "the folder is read-only" in err
            assert "Traceback" not in err
        finally:
            close(six.folder, again=True)
        six.recovers(undisturbed)
        return True

    until_hit(open_sixes, strike)
