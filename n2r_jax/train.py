"""Train a run: set up, restore, iterate."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array
from ml_collections import ConfigDict

from n2r_jax import assemble, assemble_model
from n2r_jax.check_config import check_best_by, check_config
from n2r_jax.data.batch import Batch
from n2r_jax.data.batching import Batches, stream
from n2r_jax.data.gold import GoldBatches
from n2r_jax.errors import UserError
from n2r_jax.members import members_of
from n2r_jax.methods import Method
from n2r_jax.models.interface import Params, RationaleModel
from n2r_jax.run_data import Data, read_data
from n2r_jax.run_directory import RunDirectory, manifest
from n2r_jax.stages import Stage, left_by, present, stages_of
from n2r_jax.training import parallel, prepared
from n2r_jax.training.checkpoints import Checkpoints
from n2r_jax.training.display import Display
from n2r_jax.training.evaluation import evaluate_batches, make_evaluate_step, measured
from n2r_jax.training.loop import EvaluateFn, Loop, Program
from n2r_jax.training.metrics import MetricWriter
from n2r_jax.training.run import Plan, Progress, Run, without
from n2r_jax.training.state import Optimizers, TrainState, create_state, state_shapes
from n2r_jax.training.step import make_train_step, with_dropout_as

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything a run, or a stage of it, needs before its first step."""

    data: Data
    model: RationaleModel
    """What the method was made of."""
    method: Method
    optimizers: Optimizers
    batches: Batches
    dev_batches: Batches
    plan: Plan


def train(config: ConfigDict, workdir: str, launched: float | None = None) -> TrainState:
    """Start the run in `workdir`, or go on with it; returns the final state.

    launched: when the program started (time.time), to tell how long the first step took. Raises
    UserError for anything the user can mend, Interrupted after a signal (all is saved then).
    """
    check_config(config)
    if members_of(config):
        raise UserError("config.seeds or config.grid name several runs; call train_several")
    run, is_first = RunDirectory(workdir), jax.process_index() == 0
    if run.exists:
        run.check_same(config)
    setups = prepare_stages(config, read_data(config, run))
    stages = stages_of(run.path, len(setups))
    first = present(stages)
    fresh = _fresh(config, setups, stages, first)
    if not run.exists:
        # Pretrained weights that cannot be read are told before anything is written.
        fresh = partial(lambda state: state, fresh())
    if is_first:
        record(run, config, setups[0])
        introduce(config, setups[first], shapes_of(setups[first]))
    state = _train_stage(config, run, setups[first], stages[first], fresh, launched)
    for index in range(first + 1, len(stages)):
        parallel.wait_for_all(f"{stages[index].name} begins")
        fresh = _fresh(config, setups, stages, index)
        state = _train_stage(config, run, setups[index], stages[index], fresh, time.time())
    return state


def _fresh(
    config: ConfigDict, setups: Sequence[Setup], stages: Sequence[Stage], index: int
) -> Callable[[], TrainState]:
    """What a stage starts from: a fresh state, with all that the stage before it left."""
    setup = setups[index]

    def fresh() -> TrainState:
        state = create_state(setup.method, setup.optimizers, config.seed, example(setup))
        if index == 0:
            return state
        before = setups[index - 1]
        left = left_by(stages[index - 1], shapes_of(before), before.method.model.given)
        own = {group: left[group] for group in left if group in state.params}
        return state._replace(params=state.params | own)

    return fresh


def _train_stage(
    config: ConfigDict,
    run: RunDirectory,
    setup: Setup,
    stage: Stage,
    fresh: Callable[[], TrainState],
    launched: float | None,
) -> TrainState:
    """Start a stage, or go on with it, to its end; returns its final state."""
    is_first, given, plan = jax.process_index() == 0, setup.method.model.given, setup.plan
    if is_first and stage.name:
        print(f"{stage.name}: trains {', '.join(setup.method.trained)}")
    with contextlib.ExitStack() as stack:
        latest = stack.enter_context(Checkpoints(stage.path / "latest"))
        best = stack.enter_context(Checkpoints(stage.path / "best"))
        state, progress = restore(latest, best, shapes_of(setup), fresh, given)
        writer, report = None, _say_nothing
        if is_first:
            where = {"stage": stage.logged, "events": stage.path}
            writer = stack.enter_context(
                MetricWriter(run.path, resume_after=progress.step, **where)
            )
            steps = plan.epochs * plan.steps_per_epoch
            report = stack.enter_context(
                Display(steps, plan.steps_per_epoch, progress.step, launched or time.time())
            )
        books = Run(plan, latest, best, writer, report, tuple(given), progress)
        program = Program(_compiled_step(setup, progress.step))
        batches = map(parallel.shard, stream(setup.batches, progress.step))
        loop = Loop(program, [books], make_evaluate(setup, [evaluation_key(config)]))
        state = loop.run(parallel.replicate(state), batches)
    if is_first:
        conclude(progress, plan, run, stage.name)
    return state


def _compiled_step(setup: Setup, step: int) -> Callable[[Any, Batch], Any]:
    """The training step on all devices. step: how many are done."""

    def make(dropout: bool) -> Callable[[Any, Batch], Any]:
        parts = (setup.method, setup.optimizers, parallel.all_sum)
        return parallel.data_parallel(make_train_step(*parts, dropout=dropout), donate=True)

    return with_dropout_as(setup.method, make, setup.plan.steps_per_epoch, step)


def prepare(config: ConfigDict, data: Data) -> Setup:
    """Build the model, the method and the batches; UserError for a method in stages."""
    setup, *more = prepare_stages(config, data)
    if more:
        raise UserError(
            f"config.method {config.method!r} trains in stages, which several runs in one program "
            "cannot; leave config.seeds and config.grid empty and launch one run for each"
        )
    return setup


def prepare_stages(config: ConfigDict, data: Data) -> list[Setup]:
    """What each of the method's stages needs; they share the data and the batches."""
    check_best_by(config.training.best_by, measured(annotated=bool(data.dev.annotated.any())))
    model = assemble_model.make_model(config, data.inputs, len(data.labels), data.train.choices)
    methods = assemble.make_stages(config, model)
    for name in ("batching", "evaluation"):
        _check_devices(config[name].batch_size, f"config.{name}.batch_size")
    if any(m.needs_gold for m in methods) and not data.train.annotated.any():
        raise UserError(
            f"config.method {config.method!r} learns from gold rationales, and no text of the "
            "train split has one; add them, or take a method (or weights) without plausibility"
        )
    part = {"process": jax.process_index(), "processes": jax.process_count()}
    batches = assemble.make_train_batches(config, data.train, **part)
    dev_batches = assemble.make_evaluation_batches(config, data.dev, **part)

    def of_stage(method: Method) -> Setup:
        plan = make_plan(config.training, method, batches.per_epoch)
        steps = assemble.schedule_steps(config, batches)
        optimizers = assemble.make_optimizers(config, method, steps=steps)
        return Setup(data, model, method, optimizers, batches, dev_batches, plan)

    return [of_stage(method) for method in methods]


def make_plan(training: Any, method: Method, steps_per_epoch: int) -> Plan:
    """How long a method is trained, and what chooses its best epoch."""
    best_by, best_mode = training.best_by, training.best_mode
    if method.judge is not None:
        best_by, best_mode = f"dev/loss/{method.judge.name}", "min"
    return Plan(
        epochs=training.epochs,
        steps_per_epoch=steps_per_epoch,
        log_every=training.log_every,
        checkpoint_every=training.checkpoint_every,
        best_by=best_by,
        best_mode=best_mode,
        best_sparsity_at_most=training.best_sparsity_at_most,
        patience=training.patience,
    )


def _check_devices(batch_size: int, field: str) -> None:
    devices = jax.device_count()
    if batch_size % devices:
        raise UserError(
            f"{field} {batch_size} does not divide among {devices} devices; set it to a multiple"
        )


def example(setup: Setup) -> Any:
    """The smallest batch, for the shapes of the parameters."""
    return setup.data.train.batch([], setup.data.train.choices, setup.batches.bounds[0])


def shapes_of(setup: Setup) -> TrainState:
    """The shapes of a setup's states."""
    return state_shapes(setup.method, setup.optimizers, example(setup))


def record(run: RunDirectory, config: ConfigDict, setup: Setup) -> None:
    """Write what the run directory holds from the start."""
    if run.exists:
        run.write_config(config)
    else:
        data = setup.data
        facts = manifest(config, data.labels, data.facts, data.train.choices)
        run.create(config, facts, data.inputs)


def restore(
    latest: Checkpoints,
    best: Checkpoints,
    shapes: TrainState,
    fresh: Callable[[], TrainState],
    given: Params,
) -> tuple[TrainState, Progress]:
    """The newest good checkpoint with the given groups put back, or a fresh state."""
    found = latest.restore(without(shapes, tuple(given)))
    if found is None:
        latest.delete_after(-1)
        best.delete_after(-1)
        return fresh(), Progress()
    step, restored, progress = found
    for checkpoints in (latest, best):
        checkpoints.delete_after(step)
    if progress["best_step"] == step and step not in best.steps:
        best.save(step, restored, progress)  # a kill came between the two
    logger.info("going on after step %d", step)
    return restored._replace(params=restored.params | given), Progress(**progress)


def make_evaluate(setup: Setup, keys: Sequence[Array | None]) -> EvaluateFn:
    """Dev metrics of a run's state; with a run's key its masks are drawn, else arg-max."""
    step, model = make_evaluate_step(setup.method), setup.method.model
    words, texts = prepared.own_words(model, setup.dev_batches.texts)
    # Side by side, texts of one length waste no steps of a recurrence.
    order = np.argsort(texts.question_sizes, kind="stable")
    batches = dataclasses.replace(setup.dev_batches, texts=texts, indices=order)

    def evaluate(state: TrainState, run: int) -> dict[str, float]:
        every = (batches[i] for i in range(len(batches)))
        params = prepared.prepare(model, state.params, words)
        return evaluate_batches(step, params, keys[run], every)

    return evaluate


def evaluation_key(config: ConfigDict) -> Array | None:
    """What masks are drawn with at evaluation, if they are."""
    return jax.random.key(config.seed) if config.evaluation.sample_masks else None


def introduce(
    config: ConfigDict, setup: Setup, shapes: TrainState, seeds: str | None = None
) -> None:
    """Say what will be done: device, data, sizes."""
    data = setup.data
    trained = without(shapes, tuple(setup.method.model.given)).params
    count = sum(leaf.size for leaf in jax.tree.leaves(trained))
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    print(f"{config.method} ({config.preset}), {seeds or f'seed {config.seed}'}, on {devices}")
    reads = data.inputs.reads
    unit = "nodes" if reads == "graphs" else "tokens"
    print(
        f"train {len(setup.batches.indices)} of {data.train.questions} {reads} "
        f"({data.train.truncated} cut to {config.data.max_length} {unit}), dev "
        f"{data.dev.questions} ({data.dev.truncated} cut), labels {', '.join(data.labels)}"
    )
    if data.train.choices > 1:
        print(f"each text is a question of {data.train.choices} rows, one for each answer")
    if isinstance(setup.batches, GoldBatches):
        print(f"{len(setup.batches.gold)} training texts keep their gold rationale")
    print(
        f"{data.inputs.describe(data.train)}; "
        f"{count} trained parameters; {setup.plan.steps_per_epoch} steps an epoch"
    )


def conclude(progress: Progress, plan: Plan, run: RunDirectory, stage: str = "") -> None:
    """Say how it went."""
    why = f"{stage} {'stopped early' if progress.stopped_early else 'done'}".lstrip()
    if progress.best is None:
        print(f"{why} after step {progress.step}; no epoch selected few enough tokens to be best")
        return
    print(
        f"{why} after step {progress.step}; best {plan.best_by} "
        f"{progress.best:.4f} in epoch {progress.best_epoch}; all in {run.path}"
    )


def _say_nothing(progress: Progress, values: dict[str, float]) -> None:
    """What the other processes report."""
