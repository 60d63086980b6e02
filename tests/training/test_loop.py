"""What the loop does with a step's numbers, on a step that is played by a script."""

import dataclasses
import itertools
import math
import signal
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.training import display
from n2r_jax.training.display import Speed
from n2r_jax.training.loop import Interrupted, Loop, Program
from n2r_jax.training.run import Plan, Progress, Run, TrainingDiverged
from n2r_jax.training.state import TrainState

PLAN = Plan(
    epochs=4,
    steps_per_epoch=3,
    log_every=2,
    checkpoint_every=2,
    best_by="dev/f1_micro",
    best_mode="max",
    best_sparsity_at_most=0.5,
    patience=0,
)


class Kept:
    """Checkpoints in memory: the last written one for each step."""

    def __init__(self):
        self.saved = {}

    def save(self, step, tree, progress):
        self.saved.setdefault(step, (tree, dict(progress)))

    def wait(self):
        pass


class Lines:
    def __init__(self):
        self.written = []

    def write(self, step, epoch, split, values):
        self.written.append((step, epoch, split, dict(values)))


def play(*, weights=None, losses=None, dev=None, progress=None, **changes):
    """A run whose step k leaves weights[k], reads losses[k]; dev gives each evaluation's values.

    Returns a loop of this run alone (its checkpoints are Kept, its writer Lines) and the state to
    start from.
    """
    weights = iter(weights or itertools.repeat(1.0))
    values = iter(dev or itertools.repeat({"f1_micro": 0.5}))
    losses = iter(losses or itertools.repeat(2.0))

    def step(state, batch):
        params = {"predictor": {"w": jnp.float32(next(weights))}, "table": state.params["table"]}
        metrics = {"loss/predictor": (jnp.float32(next(losses)) * 4, jnp.float32(4))}
        return state._replace(step=state.step + 1, params=params), metrics

    params = {"predictor": {"w": jnp.float32(1)}, "table": jnp.zeros(3)}
    state = TrainState(jnp.int32(0), jnp.zeros(2), params, {"predictor": jnp.zeros(1)})
    made = Run(
        plan=dataclasses.replace(PLAN, **changes),
        latest=Kept(),
        best=Kept(),
        writer=Lines(),
        report=lambda progress, values: None,
        frozen=("table",),
        progress=progress or Progress(),
    )
    loop = Loop(Program(step), [made], lambda *_: {"sparsity": 0.1, "accuracy": 0.5} | next(values))
    return Played(loop, made), state


class Played(NamedTuple):
    loop: Loop
    books: Run

    def __getattr__(self, name):
        return getattr(self.books, name)


def run(made, state):
    return made.loop.run(state, itertools.repeat(None))


def test_it_saves_on_its_plan_and_after_every_epoch_what_moves():
    made, state = play()
    run(made, state)
    assert sorted(made.latest.saved) == [2, 3, 4, 6, 8, 9, 10, 12]
    tree, progress = made.latest.saved[12]
    assert set(tree.params) == {"predictor"} and progress["step"] == 12


def test_windows_are_sums_over_steps_and_end_with_the_epoch():
    made, state = play(losses=[1, 2, 3, 4, 5, 6], epochs=2)
    run(made, state)
    written = (line for line in made.writer.written if line[2] == "train")
    lines = [(step, epoch, values["loss/predictor"]) for step, epoch, _, values in written]
    assert lines == [(2, 1, 1.5), (3, 1, 3.0), (4, 2, 4.0), (6, 2, 5.5)]


def test_an_open_window_is_part_of_what_is_saved():
    made, state = play(losses=[1, 2, 3, 4, 5, 6], epochs=2, log_every=3, checkpoint_every=2)
    run(made, state)
    window = made.latest.saved[2][1]["window"]
    assert window == {"loss/predictor": (12.0, 8.0)}
    again, state = play(losses=[3], epochs=1, log_every=3, progress=Progress(2, window=window))
    run(again, state)
    assert again.writer.written[0] == (3, 1, "train", {"loss/predictor": 2.0})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 12])
def test_a_loss_that_is_no_number_stops_the_run_by_its_step(bad, at):
    losses = [bad if step == at else 2.0 for step in range(1, 13)]
    made, state = play(losses=losses)
    message = rf"^step {at}: loss/predictor is (nan|-?inf).*learning_rate"
    with pytest.raises(TrainingDiverged, match=message):
        run(made, state)
    assert max([0, *made.latest.saved]) < at


@pytest.mark.parametrize("at", [2, 3, 4, 12])
def test_a_state_that_is_no_number_is_never_saved(at):
    """The loss of step k tells of the parameters before it: at a checkpoint it is still fine."""
    weights = [math.nan if step >= at else 1.0 for step in range(1, 13)]
    made, state = play(weights=weights)
    with pytest.raises(TrainingDiverged, match=rf"^step {at}: predictor/w .*loss/predictor 2\)"):
        run(made, state)
    for kept in (made.latest, made.best):
        assert all(np.isfinite(tree.params["predictor"]["w"]) for tree, _ in kept.saved.values())
    assert max([0, *made.latest.saved]) < at
    assert all(line[2] == "train" for line in made.writer.written if line[0] == at)


def f1s(*values):
    return [{"f1_micro": value} for value in values]


@pytest.mark.parametrize(("mode", "best"), [("max", {3: 0.1, 6: 0.4}), ("min", {3: 0.1, 12: 0.05})])
def test_best_is_the_first_extreme(mode, best):
    made, state = play(dev=f1s(0.1, 0.4, 0.4, 0.05), best_mode=mode)
    run(made, state)
    assert {step: p["best"] for step, (_, p) in made.best.saved.items()} == best


def test_epochs_above_the_allowed_sparsity_are_passed_over():
    dev = [{"f1_micro": 0.9, "sparsity": 0.51}, {"f1_micro": 0.2, "sparsity": 0.5}]
    made, state = play(dev=dev, epochs=2)
    run(made, state)
    assert list(made.best.saved) == [6] and made.progress.best == 0.2


def test_a_metric_without_a_denominator_is_never_best():
    """The precision of an empty selection: not measured in this epoch, and no reason to stop."""
    made, state = play(dev=[{}, *f1s(0.2, math.nan), {}])
    run(made, state)
    assert list(made.best.saved) == [6]


def test_patience_counts_epochs_without_a_new_best():
    made, state = play(dev=f1s(0.1, 0.3, 0.2, 0.3), patience=2, epochs=9)
    run(made, state)
    assert made.progress.step == 12 and made.progress.stopped_early
    assert made.progress.best_epoch == 2


def test_more_patience_lets_a_stopped_run_go_on():
    stopped = Progress(12, best=0.3, best_step=6, best_epoch=2, stale_epochs=2, stopped_early=True)
    made, state = play(dev=f1s(0.1), patience=3, epochs=9, progress=stopped)
    run(made, state)
    assert made.progress.step == 15 and made.progress.stopped_early
    same = dataclasses.replace(made.progress)
    made, state = play(patience=3, epochs=9, progress=same)
    run(made, state)
    assert made.progress.step == 15 and not made.latest.saved


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_saves_and_stops(number):
    def batches():
        yield from (None, None, None, None)
        signal.raise_signal(number)
        yield None

    before = signal.getsignal(number)
    made, state = play(log_every=7)
    with pytest.raises(Interrupted, match=rf"stopped by {number.name} after step 5"):
        made.loop.run(state, batches())
    assert made.latest.saved[5][1]["window"] == {"loss/predictor": (16.0, 8.0)}
    assert signal.getsignal(number) is before


def test_a_second_signal_does_not_wait_for_the_step():
    def batches():
        yield None
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield None

    made, state = play()
    with pytest.raises(KeyboardInterrupt):
        made.loop.run(state, batches())
    assert not made.latest.saved


def test_the_time_left_comes_from_the_mean_speed(monkeypatch):
    now = iter([100.0, 100.0, 130.0])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(now))
    speed = Speed(10)
    assert math.isnan(speed.seconds_left(10, 40))
    assert speed.seconds_left(25, 40) == 30.0
