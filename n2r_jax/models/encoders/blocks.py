"""Texts cut into blocks, each of which attends to a few others: costs that grow by length."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import Heads
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.interface import EncoderOptions

Blocks = Float[Array, "b n c s d"]
"""What n heads attend with, cut into c blocks of s pieces."""

MOST_HEADS, MOST_BLOCKS = 64, 1024
"""Up to so many of each draw dropout of their own."""


def in_blocks(x: Heads, block: int) -> Blocks:
    """Cut p pieces into p / block blocks; heads come first, as each draws from keys of its own."""
    rows, pieces, heads, depth = x.shape
    return x.reshape(rows, pieces // block, block, heads, depth).transpose(0, 3, 1, 2, 4)


def from_blocks(x: Blocks) -> Heads:
    """Undo `in_blocks`."""
    rows, heads, blocks, block, depth = x.shape
    return x.transpose(0, 2, 3, 1, 4).reshape(rows, blocks * block, heads, depth)


def pad_pieces(x: Float[Array, "b p ..."], block: int) -> Float[Array, "b q ..."]:
    """Zeros behind the last piece, up to the next multiple of `block`."""
    missing = -x.shape[1] % block
    return jnp.pad(x, [(0, 0), (0, missing)] + [(0, 0)] * (x.ndim - 2)) if missing else x


def by_weight(
    visible: Float[Array, "b p"], options: EncoderOptions
) -> tuple[Float[Array, "b p"], EncoderOptions]:
    """How much a piece counts, and options by which `attend` takes such weights as they are.

    Gradients reach `visible` with options.soft_visibility only; without, it is 0 or 1.
    """
    weight = visible if options.soft_visibility else visible > 0
    return weight.astype(jnp.float32), dataclasses.replace(options, soft_visibility=True)


def attend_blocks_to(
    queries: Blocks,
    keys: Float[Array, "b n c k d"],
    values: Float[Array, "b n c k d"],
    weight: Float[Array, "b n c k"],
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    first: Int[Array, ""] | int = 0,
    window: int | None = None,
) -> Blocks:
    """What every block draws from its own keys, as if it were a text of one head.

    first: the number of the first block, by which dropout is drawn. options: of `by_weight`.
    """
    rows, heads, blocks, _, depth = queries.shape
    head, number = jnp.arange(heads)[:, None], first + jnp.arange(blocks)[None]
    text = row[:, None, None] * MOST_HEADS * MOST_BLOCKS + (head * MOST_BLOCKS + number)[None]
    q, k, v = (x.reshape(-1, x.shape[3], 1, depth) for x in (queries, keys, values))
    weight = jnp.broadcast_to(weight, keys.shape[:4]).reshape(rows * heads * blocks, -1)
    drawn = attend(q, k, v, weight, options, key, text.reshape(-1), window)
    return drawn.reshape(queries.shape)
