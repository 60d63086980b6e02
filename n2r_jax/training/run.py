"""The books of one run: what it measured, which epoch was best, what is saved when.

Knows nothing of how steps are computed. Everything that decides what comes next (step, sums of the
open log window, best value so far) is in the checkpoint, so a resumed run goes on bit by bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import jax
import numpy as np

from n2r_jax.errors import UserError
from n2r_jax.training.checkpoints import Checkpoints
from n2r_jax.training.metrics import MetricWriter, Totals
from n2r_jax.training.state import TrainState


class TrainingDiverged(UserError):
    """A loss is no longer a number."""


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
class Run:
    """One run's progress, metrics and checkpoints."""

    plan: Plan
    latest: Checkpoints
    best: Checkpoints
    writer: MetricWriter | None
    """None on every process but the first."""
    report: Callable[[Progress, dict[str, float]], None]
    """Shows progress: called after every step that was read and after every evaluation."""
    frozen: tuple[str, ...]
    """Parameter groups that never move and are kept beside the checkpoints."""
    progress: Progress
    name: str = ""
    """Among several: which one; said where it diverges."""
    totals: Totals = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.totals = Totals(self.progress.window)
        self.last: dict[str, float] = {}

    def is_over(self) -> bool:
        """Whether all steps are done or patience ended; more of either lets the run go on."""
        plan, progress = self.plan, self.progress
        progress.stopped_early = bool(plan.patience and progress.stale_epochs >= plan.patience)
        return progress.stopped_early or progress.step >= plan.epochs * plan.steps_per_epoch

    @property
    def ends_epoch(self) -> bool:
        """Whether the step just taken was an epoch's last."""
        return self.progress.step % self.plan.steps_per_epoch == 0

    @property
    def saves_here(self) -> bool:
        """Whether a checkpoint is due after the step just taken."""
        every = self.plan.checkpoint_every
        return bool(every) and self.progress.step % every == 0

    def read(self, step: int, metrics: Mapping[str, tuple[float, float]]) -> None:
        """Take in a step's metrics; write a line when the window is full."""
        for name, (value, _) in metrics.items():
            if not math.isfinite(value):
                raise self._diverged(step, f"{name} is {value}")
        self.last = {n: a / b for n, (a, b) in metrics.items() if b}
        self.totals.add(metrics)
        if step % self.plan.log_every == 0:
            self._write_window(step)
        self.report(self.progress, self.last)

    def end_epoch(self, state: TrainState, evaluate: Callable[[], dict[str, float]]) -> None:
        """Evaluate on dev, keep the best, save."""
        progress = self.progress
        moving = self._copy_moving(state)
        self._write_window(progress.step)
        values = evaluate()
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

    def save_latest(self, state: TrainState) -> None:
        """Write a checkpoint to go on from."""
        self._save(self.latest, self._copy_moving(state))

    def _epoch(self, step: int) -> int:
        return (step - 1) // self.plan.steps_per_epoch + 1

    def _write_window(self, step: int) -> None:
        if self.writer and self.totals.sums:
            self.writer.write(step, self._epoch(step), "train", self.totals.means())
        self.totals = Totals()

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
        who = f"{self.name}: " if self.name else ""
        return TrainingDiverged(
            f"{who}step {step}: {what}{last}; lower config.training.learning_rate or the lambdas "
            "and start again in another --workdir (the newest checkpoint is of an earlier step)"
        )

    def _save(self, checkpoints: Checkpoints, moving: TrainState) -> None:
        """Save all that moves, and what the run knows."""
        other = self.best if checkpoints is self.latest else self.latest
        speaks_of_other = other is self.best and self.progress.best_step < self.progress.step
        # A resumed run must find the best one that the latest speaks of; and the barriers of two
        # orbax managers collide when both write in the background on several processes.
        if speaks_of_other or jax.process_count() > 1:
            other.wait()
        self.progress.window = self.totals.sums
        checkpoints.save(self.progress.step, moving, dataclasses.asdict(self.progress))


def without(state: TrainState, groups: tuple[str, ...]) -> TrainState:
    """The state less some parameter groups."""
    return state._replace(params={g: p for g, p in state.params.items() if g not in groups})
