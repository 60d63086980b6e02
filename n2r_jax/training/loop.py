"""One run's loop: step, log, evaluate, save, stop.

Nothing waits for the device: a step's metrics are read when the next one is under way, and
checkpoints are written in the background. Everything that decides what comes next (step, sums of
the open log window, best value so far) is in the checkpoint, so a resumed run goes on bit by bit.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import jax
import numpy as np

from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.methods.base import Metrics
from n2r_jax.training import parallel
from n2r_jax.training.checkpoints import Checkpoints
from n2r_jax.training.metrics import MetricWriter, Totals
from n2r_jax.training.state import TrainState
from n2r_jax.training.step import StepFn


class TrainingDiverged(UserError):
    """A loss is no longer a number."""


class Interrupted(Exception):
    """A signal asked the run to stop; everything was saved first."""

    def __init__(self, signal_number: int, step: int):
        self.signal_number, self.step = signal_number, step
        super().__init__(f"stopped by {signal.Signals(signal_number).name} after step {step}")


@dataclasses.dataclass
class Progress:
    """What a run knows besides its arrays."""

    step: int = 0
    best: float | None = None
    best_step: int = 0
    best_epoch: int = 0
    stale_epochs: int = 0
    stopped_early: bool = False
    window: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    """Sums of the log window that is not full yet."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to train and what to do when."""

    epochs: int
    steps_per_epoch: int
    log_every: int
    checkpoint_every: int
    best_by: str
    best_mode: str
    best_sparsity_at_most: float
    patience: int


@dataclasses.dataclass
class Loop:
    """Runs the steps from `progress` to the end of the plan."""

    plan: Plan
    train_step: StepFn
    evaluate: Callable[[TrainState], dict[str, float]]
    latest: Checkpoints
    best: Checkpoints
    writer: MetricWriter | None
    """None on every process but the first."""
    report: Callable[[Progress, dict[str, float]], None]
    """Shows progress: called after every step that was read and after every evaluation."""
    frozen: tuple[str, ...]
    """Parameter groups that never move and are kept beside the checkpoints."""
    progress: Progress
    totals: Totals = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.totals = Totals(self.progress.window)
        self.last: dict[str, float] = {}
        self._pending: tuple[int, Metrics] | None = None
        self._signal: int | None = None

    def run(self, state: TrainState, batches: Iterator[Batch]) -> TrainState:
        """Train to the end, or until a signal, early stopping or a loss that is no number."""
        plan, progress = self.plan, self.progress
        with self._signals_caught():
            while progress.step < plan.epochs * plan.steps_per_epoch and not self._is_over():
                state, metrics = self.train_step(state, parallel.shard(next(batches)))
                self._read_pending()
                progress.step += 1
                self._pending = (progress.step, metrics)
                if progress.step % plan.steps_per_epoch == 0:
                    self._end_epoch(state)
                elif plan.checkpoint_every and progress.step % plan.checkpoint_every == 0:
                    self._save_latest(state)
                if self._stop_asked():
                    self._save_latest(state)
                    raise Interrupted(self._signal or signal.SIGTERM, progress.step)
        self._read_pending()
        return state

    def _is_over(self) -> bool:
        """Whether patience ended; more of it on a later launch lets the run go on."""
        patience = self.plan.patience
        self.progress.stopped_early = bool(patience and self.progress.stale_epochs >= patience)
        return self.progress.stopped_early

    def _epoch(self, step: int) -> int:
        return (step - 1) // self.plan.steps_per_epoch + 1

    def _read_pending(self) -> None:
        """Take in the metrics of the step before; write a line when the window is full."""
        if self._pending is None:
            return
        step, metrics = self._pending
        self._pending = None
        read = {name: (float(a), float(b)) for name, (a, b) in jax.device_get(metrics).items()}
        for name, (value, _) in read.items():
            if not math.isfinite(value):
                raise self._diverged(step, f"{name} is {value}")
        self.last = {n: a / b for n, (a, b) in read.items() if b}
        self.totals.add(read)
        if step % self.plan.log_every == 0:
            self._write_window(step)
        self.report(self.progress, self.last)

    def _write_window(self, step: int) -> None:
        if self.writer and self.totals.sums:
            self.writer.write(step, self._epoch(step), "train", self.totals.means())
        self.totals = Totals()

    def _end_epoch(self, state: TrainState) -> None:
        """Evaluate on dev, keep the best, save."""
        progress = self.progress
        self._read_pending()
        moving = self._copy_moving(state)
        self._write_window(progress.step)
        values = self.evaluate(state)
        if self.writer:
            self.writer.write(progress.step, self._epoch(progress.step), "dev", values)
        better = self._is_better(values)
        progress.stale_epochs = 0 if better else progress.stale_epochs + 1
        if better:
            progress.best = self._chosen(values)
            progress.best_step = progress.step
            progress.best_epoch = self._epoch(progress.step)
            self._save(self.best, moving)
        self._save(self.latest, moving)
        self.report(progress, {f"dev/{name}": value for name, value in values.items()})

    def _chosen(self, values: dict[str, float]) -> float:
        """What decides; NaN while it has no denominator (the precision of an empty selection)."""
        return values.get(self.plan.best_by.removeprefix("dev/"), math.nan)

    def _is_better(self, values: dict[str, float]) -> bool:
        value = self._chosen(values)
        if values["sparsity"] > self.plan.best_sparsity_at_most or not math.isfinite(value):
            return False
        best = self.progress.best
        sign = 1 if self.plan.best_mode == "max" else -1
        return best is None or sign * value > sign * best

    def _copy_moving(self, state: TrainState) -> TrainState:
        """Copy all that moves off the device; a state that diverged is never saved.

        A step's loss tells of the parameters before it, so the loss alone notices one step late.
        """
        moving = jax.device_get(without(state, self.frozen))
        for path, leaf in jax.tree_util.tree_leaves_with_path((moving.params, moving.optimizer)):
            if not np.isfinite(leaf).all():
                name = jax.tree_util.keystr(path[1:], simple=True, separator="/")
                raise self._diverged(self.progress.step, f"{name} is no longer finite")
        return moving

    def _diverged(self, step: int, what: str) -> TrainingDiverged:
        losses = ", ".join(f"{n} {v:g}" for n, v in self.last.items() if n.startswith("loss/"))
        last = f" (last {losses})" if losses else ""
        return TrainingDiverged(
            f"step {step}: {what}{last}; lower config.training.learning_rate or the lambdas and "
            "start again in another --workdir (the newest checkpoint is of an earlier step)"
        )

    def _save(self, checkpoints: Checkpoints, moving: TrainState) -> None:
        """Save all that moves, and what the loop knows."""
        other = self.best if checkpoints is self.latest else self.latest
        speaks_of_other = other is self.best and self.progress.best_step < self.progress.step
        # A resumed run must find the best one that the latest speaks of; and the barriers of two
        # orbax managers collide when both write in the background on several processes.
        if speaks_of_other or jax.process_count() > 1:
            other.wait()
        self.progress.window = self.totals.sums
        checkpoints.save(self.progress.step, moving, dataclasses.asdict(self.progress))

    def _save_latest(self, state: TrainState) -> None:
        self._read_pending()
        self._save(self.latest, self._copy_moving(state))

    def _stop_asked(self) -> bool:
        """Whether a signal came. Processes of one job must stop at the same step."""
        if jax.process_count() == 1:
            return self._signal is not None
        from jax.experimental import multihost_utils

        return multihost_utils.reached_preemption_sync_point(self.progress.step)

    def _signals_caught(self) -> _Caught:
        def remember(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                raise KeyboardInterrupt  # asked twice: do not wait for the step
            self._signal = number

        return _Caught(remember)


class _Caught:
    """SIGTERM and SIGINT are remembered, not obeyed, while a run saves what it has."""

    numbers = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, handler: Callable[[int, FrameType | None], None]):
        self.handler = handler

    def __enter__(self) -> None:
        # jax.distributed has its own SIGTERM handler, which tells the other processes.
        caught = self.numbers if jax.process_count() == 1 else ()
        self.before = {number: signal.signal(number, self.handler) for number in caught}

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def without(state: TrainState, groups: tuple[str, ...]) -> TrainState:
    """The state less some parameter groups."""
    return state._replace(params={g: p for g, p in state.params.items() if g not in groups})


class Speed:
    """Steps and seconds since the start, for the time that is left."""

    def __init__(self, step: int):
        self.first, self.started = step, time.monotonic()

    def seconds_left(self, step: int, steps: int) -> float:
        """Estimate from the mean speed so far; NaN before the first step."""
        done = step - self.first
        spent = time.monotonic() - self.started
        return spent / done * (steps - step) if done else float(np.nan)
