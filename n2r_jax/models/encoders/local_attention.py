"""Attention within a sliding window, by blocks: its cost grows with a text's length."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import Heads
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.blocks import attend_blocks_to, by_weight, from_blocks, in_blocks
from n2r_jax.models.encoders.interface import EncoderOptions

WORTH_CUTTING = 12
"""How many windows long a text is before it is cut: a block of two looks at four, twice."""


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
    weight, weighted = by_weight(visible, options)
    parts = [_overlapping(x, window) for x in (queries, keys, values, weight[:, :, None, None])]
    q, k, v, counts = parts
    drawn = attend_blocks_to(q, k, v, counts[..., 0], weighted, key, row, window=window)
    return from_blocks(drawn[:, :, :, window:-window])[:, :pieces]


def _overlapping(x: Heads, window: int) -> Float[Array, "b n c s d"]:
    """Blocks of two windows between the windows beside them; zeros beyond the text.

    Queries too have the pieces beside them, so that a query and its key count places alike.
    """
    missing = -x.shape[1] % (2 * window)
    x = in_blocks(jnp.pad(x, ((0, 0), (window, window + missing), (0, 0), (0, 0))), window)
    count = x.shape[2] - 3
    return jnp.concatenate([x[:, :, part : part + count : 2] for part in range(4)], axis=3)
