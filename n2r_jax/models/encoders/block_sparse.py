"""BigBird's block-sparse attention: memory and time grow with a text's length, not its square.

Pieces are cut into blocks. The first and the last block attend to all pieces and all to them;
every other block also attends to itself, to the blocks beside it and to a few random ones
(Zaheer et al. 2020, section 2).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import Heads
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
from n2r_jax.models.encoders.layers import split_key


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
    q, k, v = (in_blocks(pad_pieces(x, block), block) for x in (queries, keys, values))
    weight = pad_pieces(key_weights(visible, options), block)
    weight = weight.reshape(visible.shape[0], 1, -1, block, 1)
    chosen = None
    if for_blocks is not None and random:
        chosen = random_blocks(for_blocks, q.shape[1], q.shape[2], random)
    repeats = 1 + random if key is None else 1
    # Scores are made again in the backward pass: only heads are stored, as by flash attention.
    of_ends = jax.checkpoint(partial(_of_ends, options=options))
    of_middle = jax.checkpoint(partial(_of_middle, options=options, repeats=repeats))
    ends = of_ends(q, k, v, weight, for_ends, row)
    middle = of_middle(q, k, v, weight, chosen, for_middle, row)
    drawn = from_blocks(jnp.concatenate([ends[:, :, :1], middle, ends[:, :, 1:]], axis=2))
    drawn = drawn[:, : visible.shape[1]]
    if options.soft_visibility:
        return drawn
    return jnp.where((visible > 0)[:, :, None, None], drawn, 0)


def _ends(x: Blocks) -> Float[Array, "b n ends d"]:
    """The pieces of the first and the last block."""
    return jnp.concatenate([x[:, :, 0], x[:, :, -1]], axis=2)


def _beside(x: Blocks, chosen: Int[Array, "n middle r"] | None) -> Float[Array, "b n middle k d"]:
    """The pieces of each middle block's neighbours, itself, and its random blocks."""
    near = [x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]]
    if chosen is not None:
        heads, middle, _ = chosen.shape
        far = x[:, jnp.arange(heads)[:, None, None], chosen]
        near.append(far.reshape(x.shape[0], heads, middle, -1, x.shape[-1]))
    return jnp.concatenate(near, axis=3)


def _of_ends(
    q: Blocks,
    k: Blocks,
    v: Blocks,
    weight: Float[Array, "b 1 c s 1"],
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    *,
    options: EncoderOptions,
) -> Float[Array, "b n 2 s d"]:
    """What the first and the last block draw from all pieces."""
    rows, heads, blocks, block, depth = k.shape
    v = v * weight.astype(v.dtype)
    k, v = (x.reshape(rows, heads, blocks * block, depth) for x in (k, v))
    scores = scaled("bnqd,bnkd->bnqk", _ends(q), k)
    share, total = drawn_shares(scores, weight.reshape(rows, 1, 1, -1), options, key, row)
    drawn = (mixed("bnqk,bnkd->bnqd", share, v) / total).astype(v.dtype)
    return drawn.reshape(rows, heads, 2, block, depth)


def _of_middle(
    q: Blocks,
    k: Blocks,
    v: Blocks,
    weight: Float[Array, "b 1 c s 1"],
    chosen: Int[Array, "n middle r"] | None,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    *,
    options: EncoderOptions,
    repeats: int,
) -> Float[Array, "b n middle s d"]:
    """What the other blocks draw from the global blocks, their neighbours and random ones."""
    q, ends = q[:, :, 1:-1], 2 * q.shape[3]
    as_end, as_neighbour = _as_end(weight, repeats), _as_neighbour(weight)
    scores = [
        scaled("bnmqd,bnkd->bnmqk", q, _ends(k)),
        scaled("bnmqd,bnmkd->bnmqk", q, _beside(k, chosen)),
    ]
    weights = _joined(as_end, as_neighbour, chosen)
    share, total = drawn_shares(jnp.concatenate(scores, -1), weights, options, key, row)
    of_ends = _ends(v * as_end.astype(v.dtype))
    of_others = _beside(v * as_neighbour.astype(v.dtype), chosen)
    drawn = mixed("bnmqk,bnkd->bnmqd", share[..., :ends], of_ends)
    drawn = drawn + mixed("bnmqk,bnmkd->bnmqd", share[..., ends:], of_others)
    return (drawn / total).astype(v.dtype)


def _as_end(weight: Float[Array, "b 1 c s 1"], repeats: int) -> Float[Array, "b 1 c s 1"]:
    """How much pieces of the first and the last block count to the others."""
    return jnp.concatenate([repeats * weight[:, :, :1], weight[:, :, 1:]], axis=2)


def _as_neighbour(weight: Float[Array, "b 1 c s 1"]) -> Float[Array, "b 1 c s 1"]:
    """How much pieces count as neighbours: those of the first and last block count already."""
    return jnp.pad(weight[:, :, 1:-1], ((0, 0), (0, 0), (1, 1), (0, 0), (0, 0)))


def _joined(
    as_end: Float[Array, "b 1 c s 1"],
    as_neighbour: Float[Array, "b 1 c s 1"],
    chosen: Int[Array, "n middle r"] | None,
) -> Float[Array, "b n middle 1 k"]:
    """What the keys of every middle block count, in the order of its scores."""
    rows, _, *rest = as_end.shape
    if chosen is not None:  # each head sees random blocks of its own
        as_neighbour = jnp.broadcast_to(as_neighbour, (rows, chosen.shape[0], *rest))
    beside = _beside(as_neighbour, chosen)[:, :, :, None, :, 0]
    ends = _ends(as_end)[:, :, None, None, :, 0]
    ends = jnp.broadcast_to(ends, (*beside.shape[:4], ends.shape[-1]))
    return jnp.concatenate([ends, beside], axis=-1)
