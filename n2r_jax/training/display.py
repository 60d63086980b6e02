"""What a person sees of a run: a live bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from n2r_jax.training.run import Progress

LOSSES = ("loss/predictor", "loss/joint", "loss/extractor")
"""The loss that is shown is the first of these that a method has."""


class Display:
    """Loss, sparsity, dev accuracy and the time left, as the run goes."""

    def __init__(self, steps: int, steps_per_epoch: int, first_step: int, launched: float):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self.console = Console(stderr=True)
        self.steps, self.steps_per_epoch, self.launched = steps, steps_per_epoch, launched
        self.speed: Speed | None = None
        self.first_step = first_step
        self.train: dict[str, float] = {}  # of the last run that was read
        self.losses: dict[str, float] = {}  # by the run's name
        self.dev: dict[str, float] = {}
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[shown]}"))
        self.bar = Bar(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("steps", total=steps, completed=first_step, shown="compiling")

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    def __call__(self, progress: Progress, values: dict[str, float], name: str = "") -> None:
        """Take in a step's metrics, or an evaluation's ('dev/...'), of the run of this name."""
        if self.speed is None:
            self.speed = Speed(progress.step)
            seconds = time.time() - self.launched
            self._print(f"first step {seconds:.1f} s after launch")
        if any(metric.startswith("dev/") for metric in values):
            self.dev = values
            self._print(f"{name}  {self._epoch_line(progress, name)}".lstrip())
        else:
            losses = (values[loss] for loss in LOSSES if loss in values)
            self.train, self.losses[name] = values, next(losses, float("nan"))
        self.bar.update(self.task, completed=progress.step, shown=self._shown(progress))

    def _print(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)

    def _shown(self, progress: Progress) -> str:
        left = self.speed.seconds_left(progress.step, self.steps) if self.speed else float("nan")
        parts = [f"loss {_mean(self.losses.values()):.3f}", f"left {_clock(left)}"]
        if "sparsity" in self.train:
            parts.insert(1, f"sparsity {100 * self.train['sparsity']:.1f} %")
        if self.dev:
            parts.insert(-1, f"dev accuracy {100 * self.dev['dev/accuracy']:.1f} %")
        return "  ".join(parts)

    def _epoch_line(self, progress: Progress, name: str) -> str:
        epoch = progress.step // self.steps_per_epoch
        epochs = self.steps // self.steps_per_epoch
        star = " *" if progress.best_step == progress.step else ""
        dev = {metric.removeprefix("dev/"): value for metric, value in self.dev.items()}
        loss = self.losses.get(name, float("nan"))
        f1 = f"  rationale F1 {100 * dev['f1_micro']:.1f}" if "f1_micro" in dev else ""
        left = self.speed.seconds_left(progress.step, self.steps) if self.speed else float("nan")
        return (
            f"epoch {epoch}/{epochs}  loss {loss:.3f}  dev: accuracy "
            f"{100 * dev['accuracy']:.1f}  sparsity {100 * dev['sparsity']:.1f}{f1}"
            f"  left {_clock(left)}{star}"
        )


class Speed:
    """Steps and seconds since the start, for the time that is left."""

    def __init__(self, step: int):
        self.first, self.started = step, time.monotonic()

    def seconds_left(self, step: int, steps: int) -> float:
        """Estimate from the mean speed so far; NaN before the first step."""
        done = step - self.first
        spent = time.monotonic() - self.started
        return spent / done * (steps - step) if done else float("nan")


def _mean(values: Collection[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds; a dash while unknown."""
    if seconds != seconds:
        return "-"
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
