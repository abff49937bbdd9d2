"""Oracle: an undisturbed run of the same study. Interrupted at whatever moment, a study is left in order and goes on.

Moments are drawn as those of the kills are; they fall into the runs and into the building of the report.
"""

import signal
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")

DRAWS = [0, *(pytest.param(number, marks=pytest.mark.faults) for number in range(1, 8))]
# A scheduler sends its signal twice, and somebody may be quicker than it.
SIGNALS = [
    ("SIGINT",),
    ("SIGINT", "SIGINT"),
    ("SIGTERM",),
    *(pytest.param(names, marks=pytest.mark.faults) for names in (("SIGTERM", "SIGTERM"), ("SIGINT", "SIGTERM"))),
]
# Seconds between two interrupts by hand: those of somebody in a hurry, and of somebody who has waited.
GAP = (0.05, 2.0)


def interrupt(process, names, draw):
    """Send the signals, with pauses that are drawn between them."""
    for number, name in enumerate(names):
        if number:
            time.sleep(draw.uniform(*GAP))
        process.send_signal(signal.Signals[name])


def is_left_in_order(six, process):
    """Whether the interrupt came before the end; if so, all that was begun is stopped, and that is said."""
    out, err = process.communicate(timeout=120)
    if process.returncode == 0 or out.endswith("}\n"):  # all was done and said; nothing was left to be interrupted
        assert process.returncode in (0, 130), err
        return False
    assert process.returncode == 130, err
    assert "interrupted; what is finished is kept" in err
    assert "Traceback" not in err.partition("Exception ignored in")[0]  # in a finalizer Python only tells of it
    # A kernel whose starter was killed before it could name it ends by itself, within a second or two.
    six.wait_for(lambda: not six.processes("gradstudy.study.child") + six.processes("ipykernel_launcher"), 20)
    return True


@pytest.mark.parametrize("number", DRAWS)
@pytest.mark.parametrize("names", SIGNALS, ids="-".join)
def test_an_interrupted_study_goes_on_where_it_was(until_hit, sixes, undisturbed, draw, names, number):
    def strike(six):
        process = six.start()
        time.sleep(undisturbed.moment(draw))
        interrupt(process, names, draw)
        hit = is_left_in_order(six, process)
        six.recovers(undisturbed)
        return hit

    until_hit(sixes, strike)


@pytest.mark.faults
def test_an_interrupt_while_python_begins_has_the_exit_code_of_an_interrupt(sixes, undisturbed, draw):
    # Most of these moments are within imports, where a caught interrupt once ended the process by the signal.
    told = 0
    for six, _ in zip(sixes, range(30), strict=False):
        process = six.start()
        time.sleep(draw.uniform(0.1, undisturbed.begin))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        if "interrupted; what is finished is kept" in err:
            told += 1
            assert process.returncode == 130
    assert told >= 10


@pytest.mark.parametrize("name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.faults)])
def test_a_report_that_is_interrupted_is_built_by_the_next_run(until_hit, sixes, undisturbed, name):
    def strike(six):
        process = six.start()
        six.wait_for(lambda: process.poll() is not None or building(six))
        process.send_signal(signal.Signals[name])
        hit = is_left_in_order(six, process)
        assert not building(six)
        assert six.unfinished() == 0
        six.recovers(undisturbed)
        return hit

    until_hit(sixes, strike)


def test_a_report_whose_builder_is_killed_is_built_by_the_next_run(until_hit, sixes, undisturbed):
    def strike(six):
        process = six.start()
        six.wait_for(lambda: process.poll() is not None or building(six))
        process.kill()
        process.communicate()
        assert six.unfinished() == 0
        six.recovers(undisturbed)
        return process.returncode != 0

    until_hit(sixes, strike)


def building(six):
    """Whether the report is being built."""
    return list(six.folder.glob("reports/quick/.six.*/new/report.json"))
