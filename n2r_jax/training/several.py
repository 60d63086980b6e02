"""Several runs as one program: their states get a leading axis, and the step is mapped over it.

Every run has its own parameters, noise, batches and settings, and goes exactly as it would alone.
Parameter groups that no update trains (the word vectors) are the same for all and are kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Metrics
from n2r_jax.training.run import without
from n2r_jax.training.state import Optimizers, TrainState
from n2r_jax.training.step import AllSum, make_train_step

BuildFn = Callable[[Mapping[str, Any]], tuple[Method, Optimizers]]
"""A run's settings, as traced numbers by name -> its method and optimisers."""


class Several(NamedTuple):
    """The states of R runs, and what differs between them."""

    state: TrainState
    """Leaves [R, ...], but for the frozen parameter groups."""
    values: dict[str, Float[Array, " r"]]
    active: Bool[Array, " r"]
    """A run that is over keeps its state."""


def make_several_step(
    build: BuildFn,
    frozen: tuple[str, ...],
    all_sum: AllSum,
    *,
    at_once: bool | None = None,
    dropout: bool = True,
) -> Callable[[Several, Batch], tuple[Several, Metrics]]:
    """One training iteration of every run; batch and metrics have the runs as leading axis.

    at_once: all runs side by side, or one after the other, which needs the memory of one alone. By
    default only a CPU, which a single run keeps busy, takes them one after the other.
    """
    side_by_side = jax.default_backend() != "cpu" if at_once is None else at_once

    def one(
        state: TrainState, values: Mapping[str, Array], active: Array, batch: Batch
    ) -> tuple[TrainState, Metrics]:
        step_one = make_train_step(*build(values), all_sum, dropout=dropout)
        moved, metrics = step_one(state, batch)

        def choose(new: Array, old: Array) -> Array:
            return jnp.where(active, new, old)

        groups = [group for group in state.params if group not in frozen]
        params = {g: jax.tree.map(choose, moved.params[g], state.params[g]) for g in groups}
        return state._replace(
            step=choose(moved.step, state.step),
            params=state.params | params,
            optimizer=jax.tree.map(choose, moved.optimizer, state.optimizer),
        ), metrics

    def step(several: Several, batch: Batch) -> tuple[Several, Metrics]:
        moving = without(several.state, frozen)
        kept = {group: several.state.params[group] for group in frozen}

        def of_run(run: tuple) -> tuple[TrainState, Metrics]:
            state, *rest = run
            moved, metrics = one(state._replace(params=state.params | kept), *rest)
            return without(moved, frozen), metrics

        over_runs = jax.vmap(of_run) if side_by_side else partial(jax.lax.map, of_run)
        moved, metrics = over_runs((moving, several.values, several.active, batch))
        return several._replace(state=moved._replace(params=moved.params | kept)), metrics

    return step


def stack(states: Sequence[TrainState], frozen: tuple[str, ...]) -> TrainState:
    """The states of single runs side by side."""
    moving = [without(state, frozen) for state in states]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *moving)
    kept = {group: states[0].params[group] for group in frozen}
    return together._replace(params=together.params | kept)


def take(state: TrainState, run: int, frozen: tuple[str, ...]) -> TrainState:
    """The state of one run."""
    own = jax.tree.map(lambda leaf: leaf[run], without(state, frozen))
    return own._replace(params=own.params | {group: state.params[group] for group in frozen})


def shard_several(batches: Sequence[Batch], devices: int) -> Batch:
    """Batches of R runs, each of b rows, as [devices, R, b / devices, ...].

    They are padded to the longest of them: padding never changes a result.
    """

    def split(*columns: np.ndarray) -> np.ndarray:
        together = np.stack(_padded([np.asarray(column) for column in columns]))
        runs, rows = together.shape[:2]
        parts = together.reshape(runs, devices, rows // devices, *together.shape[2:])
        return parts.swapaxes(0, 1)

    return jax.tree.map(split, *batches)


def _padded(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Columns of one value a row as they are, others [b, t, ...] up to the longest of them."""
    if columns[0].ndim == 1:
        return list(columns)
    longest = max(column.shape[1] for column in columns)
    behind = [(0, 0)] * (columns[0].ndim - 2)
    return [np.pad(own, ((0, 0), (0, longest - own.shape[1]), *behind)) for own in columns]
