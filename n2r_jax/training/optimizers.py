"""One Adam for each parameter group; for pretrained encoders with a schedule and rates by depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from n2r_jax.models.encoders.interface import Path, depth_of

RateOf = Callable[[Path], float]
"""(path of a parameter in its group) -> its learning rate as a multiple of the group's."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How the learning rate goes over a run, by a group's own count of updates.

    It rises linearly over the first `warmup` (a share of all), then stays, or falls to 0 as a line
    or as half a cosine. linear_from_0: as a line, and its first update has a rate of 0 (Hugging
    Face's schedule, UNIREX's).
    """

    name: str = "constant"
    warmup: float = 0.0
    steps: int = 1

    @property
    def is_constant(self) -> bool:
        """Whether there is nothing to count."""
        return self.name == "constant" and self.warmup == 0

    def factor(self, count: Array) -> Array:
        """What the learning rate is multiplied by at update `count`, from 0."""
        warm = self.warmup * self.steps
        first = 0 if self.name == "linear_from_0" and self.warmup else 1
        rising = jnp.minimum(1.0, (count + first) / jnp.maximum(warm, 1.0))
        left = jnp.clip((self.steps - count) / jnp.maximum(self.steps - warm, 1.0), 0.0, 1.0)
        falling = {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * jnp.cos(jnp.pi * left)}
        return rising * falling[self.name.removesuffix("_from_0")]


SCHEDULES = ("constant", "linear", "linear_from_0", "cosine")
OPTIMIZERS = ("adam", "adam_uncorrected")
MOVING, STILL = "moving", "still"


def adam(
    rate: Any,
    schedule: Schedule,
    *,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
    rate_of: RateOf | None = None,
    corrected: bool = True,
) -> optax.GradientTransformation:
    """Adam (Kingma and Ba 2015), decoupled weight decay of matrices, the group's gradient clipped.

    rate: may be a traced number. weight_decay, clip_norm: 0 leaves them out. corrected: False is
    `scale_by_adam_uncorrected`. Where `rate_of` is 0 no moments are stored, nor computed.
    """
    chain = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    chain.append(optax.scale_by_adam() if corrected else scale_by_adam_uncorrected())
    if weight_decay:
        chain.append(optax.add_decayed_weights(weight_decay, mask=_matrices))
    if rate_of is not None:
        chain.append(scale_by_path(rate_of))
    if schedule.is_constant:
        chain.append(optax.scale_by_learning_rate(rate))
    else:
        chain.append(
            optax.scale_by_schedule(lambda count: -rate * schedule.factor(jnp.asarray(count)))
        )
    whole = optax.chain(*chain)
    if rate_of is None:
        return whole
    return optax.partition({MOVING: whole, STILL: optax.set_to_zero()}, partial(_labels, rate_of))


def _labels(rate_of: RateOf, params: Any) -> Any:
    def label(path: Any, _: Array) -> str:
        return MOVING if rate_of(_path(path)) > 0 else STILL

    return jax.tree_util.tree_map_with_path(label, params)


def _path(keys: Any) -> Path:
    return tuple(str(getattr(key, "key", key)) for key in keys)


def scale_by_adam_uncorrected(
    b1: float = 0.9, b2: float = 0.98, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """Adam without bias correction, as UNIREX's release trains: m / (sqrt(v) + epsilon).

    m and v start at 0 and stay too small at first: the first change is (1 - b1) / sqrt(1 - b2) of a
    sign's. optax has none without the correction.
    """

    def init(params: Any) -> optax.ScaleByAdamState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        mean = optax.tree.update_moment(updates, state.mu, b1, 1)
        square = optax.tree.update_moment(updates, state.nu, b2, 2)
        changes = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + epsilon), mean, square)
        return changes, optax.ScaleByAdamState(state.count + 1, mean, square)

    return optax.GradientTransformation(init, update)


def scale_by_path(rate_of: RateOf) -> optax.GradientTransformation:
    """Multiply every parameter's change by a number that depends on where it stands."""

    def update(changes: Any, params: Any = None) -> Any:
        def scaled(path: Any, change: Array) -> Array:
            return change * rate_of(_path(path))

        return jax.tree_util.tree_map_with_path(scaled, changes)

    return optax.stateless(update)


def rate_of(path: Path, *, layers: int, decay: float, frozen: int, head: float) -> float:
    """The learning rate of a parameter of extractor, predictor or encoder by how deep it lies.

    decay ** (layers + 1 - depth), depth 0 for the embeddings and i + 1 for layer i (Howard and
    Ruder 2018, section 3.2); 0 below depth `frozen`; `head` for what is above the encoder.
    """
    if path[0] == "head":
        return head
    depth = depth_of(path[1:] if path[0] == "encoder" else path, layers)
    return 0.0 if depth < frozen else decay ** (layers + 1 - depth)


def _matrices(params: Any) -> Any:
    """Biases and LayerNorm's scales are not decayed."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
