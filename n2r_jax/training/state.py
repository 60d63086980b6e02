"""Everything a training step changes, as one tree of arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, Key

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method
from n2r_jax.models.interface import Params

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
    for_params, for_noise = jax.random.split(jax.random.key(seed))
    params = method.model.init(for_params, example)
    fresh: Any = {group: jax.jit(optimizers[group].init) for group in method.trained}
    optimizer = {group: fresh[group](params[group]) for group in method.trained}
    return TrainState(jnp.zeros((), jnp.int32), for_noise, params, optimizer)
