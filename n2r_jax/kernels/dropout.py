# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""Dropout by a counter hash: nothing is stored, the backward pass makes the same bits again."""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, UInt32

Layout = Literal["tfb", "btf", "bhtf"]
"""What an array's axes are: t position, f feature, b row, h attention head (f is then the key)."""

FEATURES = 1 << 16
"""Each attention head has so many numbers of its own: texts may not be longer."""


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


def keep_at(
    seed: UInt32[Array, "2"],
    row: Int[Array, "..."],
    position: Int[Array, "..."],
    feature: Int[Array, "..."],
    rate: float,
) -> Float[Array, "..."]:
    """0 with probability `rate`, else 1 / (1 - rate), for indices that broadcast to one shape.

    A value depends on the seed, the row's place in the global batch, the position and the feature
    alone: not on the padded length, nor on how many devices share the batch.
    """
    of_row = _mix(row.astype(jnp.uint32) + seed[0])
    of_position = _mix(position.astype(jnp.uint32) ^ seed[1])
    of_feature = feature.astype(jnp.uint32) * jnp.uint32(0x9E3779B9)
    # Integer compare of the hash itself: one mixing round per element, no conversion to float.
    kept = _mix(of_row + of_position + of_feature) >= jnp.uint32(threshold(rate))
    return jnp.where(kept, jnp.float32(1 / (1 - rate)), 0)


def keep_factor(
    seed: UInt32[Array, "2"],
    row: Int[Array, " b"],
    start: Int[Array, ""],
    shape: tuple[int, ...],
    rate: float,
    layout: Layout = "tfb",
) -> Float[Array, "..."]:
    """`keep_at` of every element of an array of this shape; its first position is `start`."""
    sizes = dict(zip(layout, shape, strict=True))

    def along(axis: str, numbers: Array) -> Array:
        return numbers.reshape([-1 if name == axis else 1 for name in layout])

    position = along("t", start + jnp.arange(sizes["t"]))
    feature = along("f", jnp.arange(sizes["f"]))
    if "h" in sizes:
        feature = feature + along("h", jnp.arange(sizes["h"]) * FEATURES)
    return keep_at(seed, along("b", row), position, feature, rate)


@partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def _drop(
    x: Float[Array, "..."],
    seed: UInt32[Array, "2"],
    row: Int[Array, " b"],
    start: Int[Array, ""],
    rate: float,
    layout: Layout,
) -> Float[Array, "..."]:
    return x * keep_factor(seed, row, start, x.shape, rate, layout).astype(x.dtype)


def _drop_forward(
    x: Array, seed: Array, row: Array, start: Array, rate: float, layout: Layout
) -> tuple:
    return _drop(x, seed, row, start, rate, layout), (seed, row, start)


def _drop_backward(rate: float, layout: Layout, residuals: tuple, cotangent: Array) -> tuple:
    return _drop(cotangent, *residuals, rate, layout), None, None, None


_drop.defvjp(_drop_forward, _drop_backward)


def dropout(
    x: Float[Array, "..."],
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    rate: float,
    start: Int[Array, ""] | int = 0,
    layout: Layout = "tfb",
) -> Float[Array, "..."]:
    """Zero a share `rate` of the features and scale up the rest; the identity without a key.

    `start` is the position of x's first time step, where x is a part of a longer text.
    """
    if key is None or rate == 0:
        return x
    seed = jax.random.bits(key, (2,), jnp.uint32)
    return _drop(x, seed, row, jnp.asarray(start), rate, layout)
