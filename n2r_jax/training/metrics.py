"""Metrics of many steps as sums, and the files they are written to."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from n2r_jax.errors import DataError
from n2r_jax.methods.base import Metrics


class Totals:
    """Numerators and denominators added up over steps: a mean of many steps is no mean of means."""

    def __init__(self, sums: Mapping[str, tuple[float, float]] | None = None):
        self.sums = {name: (float(a), float(b)) for name, (a, b) in (sums or {}).items()}

    def add(self, metrics: Metrics | Mapping[str, tuple[float, float]]) -> None:
        """Add one step's numerators and denominators."""
        for name, (numerator, denominator) in metrics.items():
            a, b = self.sums.get(name, (0.0, 0.0))
            self.sums[name] = (a + float(numerator), b + float(denominator))

    def means(self) -> dict[str, float]:
        """Numerator / denominator by name; what has no denominator is left out."""
        return {name: a / b for name, (a, b) in sorted(self.sums.items()) if b}


def read_metrics(directory: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl, none where there is no such file.

    Of a run in stages those of the last one that was begun, which alone is like other runs.
    Raises DataError for a line that was cut short.
    """
    path, found = pathlib.Path(directory) / "metrics.jsonl", []
    if not path.exists():
        return found
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(json.loads(text))
        except ValueError as error:
            mend = "go on with the run, which writes it anew"
            raise DataError("is cut", file=path, line=number, mend=mend) from error
    last = max((line.get("stage", 0) for line in found), default=0)
    return [line for line in found if line.get("stage", 0) == last]


class MetricWriter:
    """metrics.jsonl and TensorBoard events of one run.

    A line holds what the run computed and no clock, so an interrupted and resumed run leaves the
    same file as one that was not. Speeds go to TensorBoard alone.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        resume_after: int | None,
        stage: int | None = None,
        events: str | os.PathLike[str] | None = None,
    ):
        """stage: which one of a run of several, whose steps are counted anew; its lines say it.

        events: folder of the events; default: the run's.
        """
        from tensorboardX import SummaryWriter

        self.path = pathlib.Path(directory) / "metrics.jsonl"
        self.stage = {} if stage is None else {"stage": stage}
        if resume_after is not None:
            self._forget_after((stage or 0, resume_after))
        self._file = self.path.open("a", encoding="utf-8")
        purge = None if resume_after is None else resume_after + 1
        self._board = SummaryWriter(os.fspath(events or directory), purge_step=purge)

    def _forget_after(self, last: tuple[int, int]) -> None:
        """Drop the lines of steps that will be run again, and a line cut short by a kill."""
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found = json.loads(line)
                if (found.get("stage", 0), found["step"]) <= last:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                continue
        partial = self.path.with_name("metrics.jsonl.partial")
        partial.write_text("".join(kept), encoding="utf-8")
        partial.replace(self.path)

    def write(self, step: int, epoch: int, split: str, values: Mapping[str, float]) -> None:
        """One line: {"stage" of several, "step", "epoch", "split", and the values by name}."""
        line = {**self.stage, "step": step, "epoch": epoch, "split": split, **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self.write_speed(step, {f"{split}/{name}": value for name, value in values.items()})

    def write_speed(self, step: int, values: Mapping[str, float]) -> None:
        """Values for TensorBoard alone, by their full names."""
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()
        self._board.close()

    def __enter__(self) -> MetricWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
