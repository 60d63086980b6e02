# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""Dropout by a counter hash: nothing is stored, the backward pass makes the same bits again."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, UInt32


def _mix(x: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    """Spread a counter over all 32 bits (xor-shift and multiply, constants of Ettinger's triple32
    family, bias 0.17 of a per mille: far below what dropout can notice).
    """
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def threshold(rate: float) -> int:
    """A hash below this number drops its element."""
    return min(round(rate * 2**32), 2**32 - 1)


def keep_factor(
    seed: UInt32[Array, "2"],
    row: Int[Array, " b"],
    start: Int[Array, ""],
    shape: tuple[int, ...],
    rate: float,
) -> Float[Array, "t f b"]:
    """0 with probability `rate`, else 1 / (1 - rate), for [time, feature, row].

    A value depends on the seed, the row's place in the global batch, the position (the first is
    `start`) and the feature:
    not on the padded length, nor on how many devices share the batch.
    """
    time, features, _ = shape
    of_row = _mix(row.astype(jnp.uint32) + seed[0])
    of_time = _mix((start.astype(jnp.uint32) + jnp.arange(time, dtype=jnp.uint32)) ^ seed[1])
    of_feature = jnp.arange(features, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9)
    counter = of_row[None, None, :] + of_time[:, None, None] + of_feature[None, :, None]
    # Integer compare of the hash itself: one mixing round per element, no conversion to float.
    kept = _mix(counter) >= jnp.uint32(threshold(rate))
    return jnp.where(kept, jnp.float32(1 / (1 - rate)), 0)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _drop(
    x: Float[Array, "t f b"],
    seed: UInt32[Array, "2"],
    row: Int[Array, " b"],
    start: Int[Array, ""],
    rate: float,
) -> Float[Array, "t f b"]:
    return x * keep_factor(seed, row, start, x.shape, rate).astype(x.dtype)


def _drop_forward(x: Array, seed: Array, row: Array, start: Array, rate: float) -> tuple:
    return _drop(x, seed, row, start, rate), (seed, row, start)


def _drop_backward(rate: float, residuals: tuple, cotangent: Array) -> tuple:
    return _drop(cotangent, *residuals, rate), None, None, None


_drop.defvjp(_drop_forward, _drop_backward)


def dropout(
    x: Float[Array, "t f b"],
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    rate: float,
    start: Int[Array, ""] | int = 0,
) -> Float[Array, "t f b"]:
    """Zero a share `rate` of the features and scale up the rest; the identity without a key.

    `start` is the position of x's first time step, where x is a part of a longer text.
    """
    if key is None or rate == 0:
        return x
    return _drop(x, jax.random.bits(key, (2,), jnp.uint32), row, jnp.asarray(start), rate)
