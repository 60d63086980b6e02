"""A signal to any of two real processes stops both after the same step, and both go on from there.

A scheduler may tell only one process of a job, at any time, also before the first step.
"""

import re
import signal

import pytest

from tests import tiny

pytestmark = pytest.mark.slow
FIELDS = {
    "training__epochs": 6,
    "training__checkpoint_every": 1,  # the step to stop after is saved already, as may happen
    "training__best_by": "dev/cross_entropy",  # it moves, so the best is saved again and again
    "training__best_mode": "min",
}
MAIN = ("-m", "n2r_jax.main")
SIGNALLED_BEFORE_THE_FIRST_STEP = (
    "-c",
    "import signal; from n2r_jax import main; import n2r_jax.train as t\n"
    "prepare = t.prepare_stages\n"
    "def signalled(*arguments):\n"
    "    signal.raise_signal(signal.SIGTERM)\n"
    "    return prepare(*arguments)\n"
    "t.prepare_stages = signalled\n"
    "main.run()",
)


def launch(run, program=MAIN):
    return tiny.start_two(*program, f"--workdir={run}", *tiny.arguments(**FIELDS))


def finish(run):
    started = launch(run)
    outputs = tiny.outputs_of(started, timeout=200)
    assert [process.returncode for process in started] == [0, 0], outputs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Thirty steps on two processes that nobody interrupted."""
    run = tmp_path_factory.mktemp("preemption") / "whole"
    finish(run)
    return run


def stopped_together(started, run):
    """The exit codes, and the step that both stopped after, which is the newest that is saved."""
    outputs = tiny.outputs_of(started, timeout=60)
    told = [re.findall(r"stopped by \w+ after step (\d+)", errors) for _, errors in outputs]
    step = tiny.sealed(run)[0]
    assert told == [[str(step)]] * 2, outputs
    assert not any("Traceback" in errors for _, errors in outputs), outputs
    return [process.returncode for process in started], step


def assert_same_run(found, wanted):
    assert (found / "metrics.jsonl").read_bytes() == (wanted / "metrics.jsonl").read_bytes()
    for which in ("latest", "best"):
        assert tiny.sealed(found, which) == tiny.sealed(wanted, which)


CASES = {
    "SIGTERM to both": (signal.SIGTERM, (0, 1), [143, 143]),
    "SIGTERM to the second": (signal.SIGTERM, (1,), [143, 143]),
    "Ctrl-C in the first": (signal.SIGINT, (0,), [130, 143]),
}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_stop_together_and_go_on_bit_by_bit(whole, tmp_path, case):
    number, told, codes = CASES[case]
    started = launch(tmp_path)
    tiny.wait_for_lines(tmp_path, 1)
    for index in told:
        started[index].send_signal(number)
    found, step = stopped_together(started, tmp_path)
    assert found == codes and 3 <= step < 30
    finish(tmp_path)
    assert_same_run(tmp_path, whole)


def test_a_signal_before_the_first_step_stops_after_it_also_in_a_resumed_run(tmp_path):
    for step in (1, 2):
        started = launch(tmp_path, SIGNALLED_BEFORE_THE_FIRST_STEP)
        assert stopped_together(started, tmp_path) == ([143, 143], step)
