"""Train several runs as one program: the seeds and settings that a config names.

Each becomes a run directory like any other, in a folder of the workdir named after what is its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from n2r_jax import assemble
from n2r_jax import train as single
from n2r_jax.check_config import check_config
from n2r_jax.data.batch import Batch
from n2r_jax.data.batching import stream
from n2r_jax.errors import UserError
from n2r_jax.members import Member, members_of
from n2r_jax.methods import Method
from n2r_jax.run_data import check_unchanged, read_data
from n2r_jax.run_directory import RunDirectory
from n2r_jax.training import parallel, several
from n2r_jax.training.checkpoints import Checkpoints
from n2r_jax.training.display import Display
from n2r_jax.training.loop import Loop, Program
from n2r_jax.training.metrics import MetricWriter
from n2r_jax.training.run import Progress, Run
from n2r_jax.training.several import Several
from n2r_jax.training.state import Optimizers, TrainState, create_state, state_shapes
from n2r_jax.training.step import with_dropout_as


class Opened(NamedTuple):
    """A member with its folder, its setup and its checkpoints."""

    member: Member
    directory: RunDirectory
    setup: single.Setup
    latest: Checkpoints
    best: Checkpoints


def train_several(config: ConfigDict, workdir: str, launched: float | None = None) -> Several:
    """Start or go on with all runs of a config; returns their final states.

    Raises what `train` raises; a run that diverges stops all, and is named.
    """
    members = members_of(config)
    for member in members:
        check_config(member.config)
    if jax.process_count() > 1:
        raise UserError("several runs in one program need a single process; launch one job a seed")
    with contextlib.ExitStack() as stack:
        opened = _open(members, Path(workdir), stack)
        first = opened[0].setup
        frozen = tuple(first.method.model.given)
        shapes = state_shapes(first.method, first.optimizers, single.example(first))
        for o in opened:
            single.record(o.directory, o.member.config, o.setup)
        names = ", ".join(member.name for member in members)
        single.introduce(config, first, shapes, f"{len(members)} runs: {names}")
        states, progress = _restore(opened, shapes)
        runs = _runs(opened, progress, frozen, stack, launched or time.time())
        together = _together(members, states, runs, frozen)
        goes_on = [run.progress.step for run in runs if not run.is_over()]
        program = _program(config, opened, frozen, min(goes_on, default=0))
        keys = [single.evaluation_key(member.config) for member in members]
        loop = Loop(program, runs, single.make_evaluate(first, keys))
        together = loop.run(parallel.replicate(together), _batches(opened, runs))
    for o, run in zip(opened, runs, strict=True):
        print(f"{o.member.name}: ", end="")
        single.conclude(run.progress, run.plan, o.directory)
    return together


def _fresh(o: Opened, first: single.Setup) -> TrainState:
    """A member's state before its first step; one model for all, so that it is compiled once."""
    example = single.example(first)
    return create_state(first.method, first.optimizers, o.member.config.seed, example)


def _open(members: Sequence[Member], workdir: Path, stack: contextlib.ExitStack) -> list[Opened]:
    """Read the data once, for all; every run that goes on must find them unchanged."""
    directories = [RunDirectory(workdir / member.name) for member in members]
    for member, directory in zip(members, directories, strict=True):
        if directory.exists:
            directory.check_same(member.config)
    data = read_data(members[0].config, directories[0])
    opened = []
    for member, directory in zip(members, directories, strict=True):
        if directory.exists:
            check_unchanged(data.facts, directory)
        setup = single.prepare(member.config, data)
        kinds = (Checkpoints(directory.path / kind) for kind in ("latest", "best"))
        latest, best = (stack.enter_context(checkpoints) for checkpoints in kinds)
        opened.append(Opened(member, directory, setup, latest, best))
    return opened


def _restore(
    opened: Sequence[Opened], shapes: TrainState
) -> tuple[list[TrainState], list[Progress]]:
    """Every run where it was; a kill may have come between two saves, so all that go on step back
    to the earliest of them.
    """
    first = opened[0].setup

    def read(o: Opened) -> tuple[TrainState, Progress]:
        return single.restore(
            o.latest, o.best, shapes, partial(_fresh, o, first), first.method.model.given
        )

    states, progress = (list(column) for column in zip(*map(read, opened), strict=True))
    while (
        len(steps := {p.step for o, p in zip(opened, progress, strict=True) if _goes_on(o, p)}) > 1
    ):
        for index, o in enumerate(opened):
            if _goes_on(o, progress[index]) and progress[index].step > min(steps):
                o.latest.delete_after(min(steps))
                o.best.delete_after(min(steps))
                states[index], progress[index] = read(o)
    return states, progress


def _runs(
    opened: Sequence[Opened],
    progress: Sequence[Progress],
    frozen: tuple[str, ...],
    stack: contextlib.ExitStack,
    launched: float,
) -> list[Run]:
    """The books of every run, and one display for all."""
    plans = [o.setup.plan for o in opened]
    steps = max(plan.epochs * plan.steps_per_epoch for plan in plans)
    done = min(p.step for p in progress)
    display = stack.enter_context(Display(steps, plans[0].steps_per_epoch, done, launched))
    runs = []
    for o, own in zip(opened, progress, strict=True):
        writer = stack.enter_context(MetricWriter(o.directory.path, resume_after=own.step))
        report, name = partial(display, name=o.member.name), o.member.name
        runs.append(Run(o.setup.plan, o.latest, o.best, writer, report, frozen, own, name))
    return runs


def _goes_on(o: Opened, progress: Progress) -> bool:
    """What Run.is_over will deny."""
    plan = o.setup.plan
    patient = not plan.patience or progress.stale_epochs < plan.patience
    return patient and progress.step < plan.epochs * plan.steps_per_epoch


def _together(
    members: Sequence[Member],
    states: Sequence[TrainState],
    runs: Sequence[Run],
    frozen: tuple[str, ...],
) -> Several:
    values = {name: jnp.asarray([m.values[name] for m in members]) for name in members[0].values}
    active = jnp.asarray([not run.is_over() for run in runs])
    return Several(several.stack(states, frozen), values, active)


def _program(
    config: ConfigDict, opened: Sequence[Opened], frozen: tuple[str, ...], done: int
) -> Program:
    """The step of all runs and the way to each. done: steps that those which go on have taken."""
    setup = opened[0].setup
    model, plan = setup.model, setup.plan
    steps = assemble.schedule_steps(config, setup.batches)

    def build(values: Mapping[str, Any]) -> tuple[Method, Optimizers]:
        varied = {name: value for name, value in values.items() if name != "learning_rate"}
        method = assemble.make_method(config, model, varied)
        rate = values.get("learning_rate")
        return method, assemble.make_optimizers(config, method, rate, steps)

    def retire(together: Several, run: int) -> Several:
        active = np.array(jax.device_get(together.active))
        active[run] = False
        return together._replace(active=jnp.asarray(active))

    def make(dropout: bool) -> Callable[[Any, Batch], Any]:
        body = several.make_several_step(build, frozen, parallel.all_sum, dropout=dropout)
        return parallel.data_parallel(body, donate=True)

    return Program(
        with_dropout_as(setup.method, make, plan.steps_per_epoch, done),
        take=lambda together, run: several.take(together.state, run, frozen),
        metrics_of=lambda metrics, run: jax.tree.map(lambda leaf: leaf[run], metrics),
        retire=retire,
    )


def _batches(opened: Sequence[Opened], runs: Sequence[Run]) -> Iterator[Batch]:
    """Every run's own batches, in step; a run that is over gets any, which changes nothing."""
    nexts: list[Callable[[], Batch]] = []
    latest = [o.setup.batches[0] for o in opened]
    for o, run in zip(opened, runs, strict=True):
        going = None if run.is_over() else stream(o.setup.batches, run.progress.step)
        nexts.append(partial(next, going or iter(())))
    while True:
        for index, run in enumerate(runs):
            if not run.is_over():
                latest[index] = nexts[index]()
        yield several.shard_several(latest, jax.local_device_count())
