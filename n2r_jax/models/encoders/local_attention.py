"""Attention within a sliding window, by blocks: its cost grows with a text's length."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import Heads
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.blocks import (
    Blocks,
    drawn_shares,
    from_blocks,
    in_blocks,
    key_weights,
    mixed,
    pad_pieces,
    scaled,
)
from n2r_jax.models.encoders.interface import EncoderOptions

WORTH_CUTTING = 6
"""How many windows long a text is before blocks, which look at three, are worth their copies."""


def attend_locally(
    queries: Heads,
    keys: Heads,
    values: Heads,
    visible: Float[Array, "b p"],
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    *,
    window: int,
) -> Heads:
    """What every piece draws from the visible ones at most `window` places away.

    The same as `attend` with this window, except which shares dropout takes.
    """
    pieces = visible.shape[1]
    if window < 1 or pieces < WORTH_CUTTING * window:
        return attend(queries, keys, values, visible, options, key, row, window)
    q, k, v = (in_blocks(pad_pieces(x, window), window) for x in (queries, keys, values))
    weight = pad_pieces(key_weights(visible, options), window)
    weight = weight.reshape(visible.shape[0], 1, -1, window, 1)
    # Scores are made again in the backward pass, as by flash attention.
    draw = jax.checkpoint(partial(_drawn, options=options))
    return from_blocks(draw(q, k, v, weight, key, row))[:, :pieces]


def _drawn(
    q: Blocks,
    k: Blocks,
    v: Blocks,
    weight: Float[Array, "b 1 c s 1"],
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    *,
    options: EncoderOptions,
) -> Blocks:
    """What blocks as long as the window draw from themselves and both neighbours."""
    scores = scaled("bncqd,bnckd->bncqk", q, _with_neighbours(k))
    near = _within(q.shape[3])
    counts = _with_neighbours(weight)[:, :, :, None, :, 0] * near
    share, total = drawn_shares(scores, counts, options, key, row)
    values = _with_neighbours(v * weight.astype(v.dtype))
    return (mixed("bncqk,bnckd->bncqd", share * near, values) / total).astype(v.dtype)


def _with_neighbours(x: Blocks) -> Float[Array, "b n c k d"]:
    """Each block's pieces between those of the blocks beside it; zeros beyond the text."""
    x = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0), (0, 0)))
    return jnp.concatenate([x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]], axis=3)


def _within(window: int) -> Float[Array, "1 1 1 q k"]:
    """1 where a key of three blocks lies in the window of a query of the middle one."""
    query, key = jnp.arange(window), jnp.arange(-window, 2 * window)
    near = abs(query[:, None] - key[None, :]) <= window
    return near.astype(jnp.float32)[None, None, None]
