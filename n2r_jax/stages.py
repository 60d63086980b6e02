"""A run in stages on disk: each has checkpoints of its own, and starts from what the last one left.

The last stage, or the only one, has its checkpoints in the run's folder itself: they are what a run
is evaluated and explained from. Those before it are in stage_1/, stage_2/, ...
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from n2r_jax.errors import UserError
from n2r_jax.models.interface import Params
from n2r_jax.training.checkpoints import Checkpoints, newest_of
from n2r_jax.training.run import without
from n2r_jax.training.state import TrainState


class Stage(NamedTuple):
    """One of a run's stages."""

    number: int
    """From 1."""
    count: int
    path: pathlib.Path
    """Folder of latest/ and best/."""

    @property
    def name(self) -> str:
        """What a person is told; empty for the only one."""
        return f"stage {self.number} of {self.count}" if self.count > 1 else ""

    @property
    def logged(self) -> int | None:
        """What its lines in metrics.jsonl say of it."""
        return self.number if self.count > 1 else None

    @property
    def begun(self) -> bool:
        """Whether it has a checkpoint to go on from."""
        latest = self.path / "latest"
        if not latest.exists():
            return False
        with Checkpoints(latest, read_only=True) as checkpoints:
            return bool(checkpoints.steps)


def stages_of(run: pathlib.Path, count: int) -> list[Stage]:
    """All stages of a run in its folder."""
    earlier = [Stage(n, count, run / f"stage_{n}") for n in range(1, count)]
    return [*earlier, Stage(count, count, run)]


def present(stages: Sequence[Stage]) -> int:
    """Index of the stage that a run is in: the last one that was begun.

    One whose successor was begun is over, whatever the config says of epochs by now.
    """
    return max((index for index, stage in enumerate(stages) if stage.begun), default=0)


def left_by(stage: Stage, shapes: TrainState, given: Params) -> Params:
    """What a stage's best epoch trained and kept, or its latest where none was best.

    shapes: of the stage's states. Raises UserError where there is no checkpoint.
    """
    found = newest_of(stage.path, ("best", "latest"), without(shapes, tuple(given)))
    if found is None:
        raise UserError(f"{stage.path} has no checkpoint to start the next stage from")
    return found[2].params
