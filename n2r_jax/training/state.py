"""Everything a training step changes, as one tree of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, Key

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method
from n2r_jax.models.interface import Params

InitFn = Callable[[Array, Batch], Params]
Optimizers = dict[str, optax.GradientTransformation]
"""One optimiser for each trained parameter group."""


class TrainState(NamedTuple):
    """Parameters by group, an optimiser state for each trained group, the step, the noise's key."""

    step: Int[Array, ""]
    key: Key[Array, ""]
    params: Params
    optimizer: dict[str, optax.OptState]


def create_state(method: Method, optimizers: Optimizers, seed: int, example: Batch) -> TrainState:
    """A fresh state: parameters and noise come from two independent keys of the seed."""
    return _state(method, optimizers, seed, example, method.model.init)


def state_shapes(method: Method, optimizers: Optimizers, example: Batch) -> TrainState:
    """The shapes of any state of a method; nothing is drawn or read."""
    init = method.model.draw or method.model.init
    return jax.eval_shape(lambda: _state(method, optimizers, 0, example, init))


def _state(
    method: Method, optimizers: Optimizers, seed: int, example: Batch, init: InitFn
) -> TrainState:
    for_params, for_noise = jax.random.split(jax.random.key(seed))
    made = init(for_params, example)
    # What nothing trains and nobody gives, like a classifier's extractor, is not there at all.
    params = {g: made[g] for g in made if g in method.groups or g in method.model.given}
    fresh: Any = {group: jax.jit(optimizers[group].init) for group in method.trained}
    optimizer = {group: fresh[group](params[group]) for group in method.trained}
    return TrainState(jnp.zeros((), jnp.int32), for_noise, params, optimizer)
