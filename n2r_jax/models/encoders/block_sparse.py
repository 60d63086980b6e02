"""BigBird's block-sparse attention: memory and time grow with a text's length, not its square.

Pieces are cut into blocks. The first and the last block attend to all pieces and all to them;
every other block also attends to itself, to the blocks beside it and to a few random ones
(Zaheer et al. 2020, section 2).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import Heads
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.blocks import (
    Blocks,
    attend_blocks_to,
    by_weight,
    from_blocks,
    in_blocks,
    pad_pieces,
)
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.encoders.layers import split_key

GROUP = 8
"""Middle blocks that attend at a time: enough work for a GPU, few copies of keys."""


def is_sparse(pieces: int, block: int, random: int) -> bool:
    """Whether a text is long enough: 2 global, 3 neighbours and twice the random blocks fit in.

    Hugging Face attends fully to shorter ones, and so were their weights used.
    """
    return pieces > (5 + 2 * random) * block


def random_blocks(
    key: Key[Array, ""], heads: int, blocks: int, count: int
) -> Int[Array, "n middle r"]:
    """`count` different blocks for every head and middle block, none that it attends to anyhow.

    Every set of blocks is as likely. One set serves all rows of a batch, wherever they lie. Needs
    count + 5 <= blocks. Floyd's sampling (Bentley and Floyd 1987): nothing is sorted or stored.
    """
    own = jnp.arange(1, blocks - 1)[None]
    first, last = jnp.maximum(own - 1, 1), jnp.minimum(own + 1, blocks - 2)
    others = (blocks - 2) - (last + 1 - first)
    picks: list[Array] = []
    for number, one in enumerate(jax.random.split(key, count)):
        highest = others - count + number
        pick = jax.random.randint(one, (heads, blocks - 2), 0, highest + 1)
        for earlier in tuple(picks):
            pick = jnp.where(pick == earlier, highest, pick)
        picks.append(pick)
    place = 1 + jnp.stack(picks, -1)
    beyond = place >= first[..., None]
    return place + jnp.where(beyond, (last + 1 - first)[..., None], 0)


def attend_blocks(
    queries: Heads,
    keys: Heads,
    values: Heads,
    visible: Float[Array, "b p"],
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    *,
    block: int,
    random: int,
) -> Heads:
    """What every piece draws from the visible pieces of the blocks that it attends to.

    Shapes: any p of more than (4 + random) blocks; it is padded to whole blocks. As in `attend`,
    options say whether gradients reach `visible`. Without a key every random block is the first
    block, which then counts 1 + random times: so do Hugging Face's models in inference, whose plan
    is all zeros. Results at invisible pieces are 0, as there, except with options.soft_visibility:
    there a result follows `visible` without a jump at 0.
    """
    for_blocks, for_ends, for_middle = split_key(key, 3)
    weight, weighted = by_weight(pad_pieces(visible, block), options)
    q, k, v = (pad_pieces(x, block) for x in (queries, keys, values))
    blocks = weight.shape[1] // block
    chosen = None
    if for_blocks is not None and random:
        chosen = random_blocks(for_blocks, q.shape[2], blocks, random)
    ends = jnp.concatenate([q[:, :block], q[:, -block:]], axis=1)
    ends = attend(ends, k, v, weight, weighted, for_ends, row)
    q, k, v = (in_blocks(x, block) for x in (q, k, v))
    weight = weight.reshape(weight.shape[0], 1, blocks, block)
    repeats = 1 + random if key is None else 1
    middle = _of_middle(q, k, v, weight, repeats, chosen, weighted, for_middle, row)
    drawn = jnp.concatenate([ends[:, :block], from_blocks(middle), ends[:, block:]], axis=1)
    drawn = drawn[:, : visible.shape[1]]
    if options.soft_visibility:
        return drawn
    return jnp.where((visible > 0)[:, :, None, None], drawn, 0)


def _of_middle(
    q: Blocks,
    k: Blocks,
    v: Blocks,
    weight: Float[Array, "b 1 c s"],
    repeats: int,
    chosen: Int[Array, "n middle r"] | None,
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
) -> Float[Array, "b n middle s d"]:
    """What the other blocks draw from the global blocks, their neighbours and random ones.

    One group of blocks after another, in the backward pass too, so that the keys of one group are
    copied at a time.
    """
    middle = q.shape[2] - 2
    weight = jnp.broadcast_to(weight, k.shape[:4])[..., None]
    weight_of_ends = jnp.concatenate([repeats * weight[:, :, 0], weight[:, :, -1]], axis=2)
    # A neighbour that is the first or the last block is attended to already: it counts once.
    inner = jnp.pad(weight[:, :, 1:-1], ((0, 0), (0, 0), (1, 1), (0, 0), (0, 0)))
    q, k_all, v_all, inner = (_whole_groups(x, middle) for x in (q, k, v, inner))
    if chosen is not None:
        chosen = jnp.pad(chosen, ((0, 0), (0, -middle % GROUP), (0, 0)))

    @jax.checkpoint
    def draw(first: Int[Array, ""]) -> Blocks:
        queries = jax.lax.dynamic_slice_in_dim(q, first + 1, GROUP, axis=2)
        keys = _seen(_ends(k), k_all, chosen, first)
        values = _seen(_ends(v), v_all, chosen, first)
        weights = _seen(weight_of_ends, inner, chosen, first)[..., 0]
        return attend_blocks_to(queries, keys, values, weights, options, key, row, first)

    drawn = jax.lax.map(draw, jnp.arange(0, middle, GROUP))
    drawn = jnp.moveaxis(drawn, 0, 2)  # [b n groups GROUP s d]
    return drawn.reshape(*q.shape[:2], -1, *q.shape[3:])[:, :, :middle]


def _ends(x: Blocks) -> Float[Array, "b n ends d"]:
    """The pieces of the first and the last block."""
    return jnp.concatenate([x[:, :, 0], x[:, :, -1]], axis=2)


def _whole_groups(x: Blocks, middle: int) -> Blocks:
    """Zeros behind the last block, so that the middle ones and both beside make whole groups."""
    return jnp.pad(x, ((0, 0), (0, 0), (0, -middle % GROUP), (0, 0), (0, 0)))


def _seen(
    ends: Float[Array, "b n ends d"],
    x: Blocks,
    chosen: Int[Array, "n middle r"] | None,
    first: Int[Array, ""],
) -> Float[Array, "b n group k d"]:
    """What a group of middle blocks attends to: ends, neighbours, itself, random blocks."""
    part = jax.lax.dynamic_slice_in_dim(x, first, GROUP + 2, axis=2)
    near = [part[:, :, :-2], part[:, :, 1:-1], part[:, :, 2:]]
    ends = jnp.broadcast_to(ends[:, :, None], (*near[0].shape[:3], *ends.shape[2:]))
    if chosen is None:
        return jnp.concatenate([ends, *near], axis=3)
    mine = jax.lax.dynamic_slice_in_dim(chosen, first, GROUP, axis=1)
    far = x[:, jnp.arange(chosen.shape[0])[:, None, None], mine]
    far = far.reshape(*near[0].shape[:3], -1, x.shape[-1])
    return jnp.concatenate([ends, *near, far], axis=3)
