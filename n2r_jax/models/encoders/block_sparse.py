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

from n2r_jax.kernels.attention import LARGEST_EXPONENT, Heads
from n2r_jax.kernels.dropout import dropout
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.encoders.layers import split_key

Blocks = Float[Array, "b n c s d"]
"""What heads attend with, cut into c blocks of s pieces."""

HIDDEN = -1e30
"""Added to an invisible piece's score: exp of it is 0, yet no row is empty."""

LEAST_TOTAL = 1e-15
"""Of weights: of pieces that count less than this altogether the gradient could overflow."""


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

    Shapes: p a multiple of `block`, p / block >= 5 + random. As in `attend`, options say whether
    gradients reach `visible`. Without a key every random block is the first block, which then
    counts 1 + random times: so do Hugging Face's models in inference, whose plan is all zeros.
    Results at invisible pieces are 0, as there, except with options.soft_visibility: there a result
    follows `visible` without a jump at 0.
    """
    for_blocks, for_ends, for_middle = split_key(key, 3)
    q, k, v = (_in_blocks(x, block) for x in (queries, keys, values))
    weight = visible if options.soft_visibility else (visible > 0)
    weight = weight.astype(jnp.float32).reshape(visible.shape[0], 1, -1, block, 1)
    chosen = None
    if for_blocks is not None and random:
        chosen = random_blocks(for_blocks, q.shape[1], q.shape[2], random)
    repeats = 1 + random if key is None else 1
    # Scores are made again in the backward pass: only heads are stored, as by flash attention.
    of_ends = jax.checkpoint(partial(_of_ends, options=options))
    of_middle = jax.checkpoint(partial(_of_middle, options=options, repeats=repeats))
    ends = of_ends(q, k, v, weight, for_ends, row)
    middle = of_middle(q, k, v, weight, chosen, for_middle, row)
    drawn = jnp.concatenate([ends[:, :, :1], middle, ends[:, :, 1:]], axis=2)
    drawn = drawn.transpose(0, 2, 3, 1, 4).reshape(queries.shape)
    if options.soft_visibility:
        return drawn
    return jnp.where((visible > 0)[:, :, None, None], drawn, 0)


def _in_blocks(x: Heads, block: int) -> Blocks:
    """Heads first, then blocks: what the matrix products go over."""
    rows, pieces, heads, depth = x.shape
    return x.reshape(rows, pieces // block, block, heads, depth).transpose(0, 3, 1, 2, 4)


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


def _shares(
    scores: Float[Array, "*n q k"], weight: Float[Array, "*n q k"], soft: bool
) -> Float[Array, "*n q k"]:
    """w_k exp(s_k) / sum_j w_j exp(s_j), with gradients to w where `soft`."""
    if not soft:
        return jax.nn.softmax(scores + jnp.where(weight > 0, jnp.log(weight), HIDDEN))
    highest = jnp.where(weight > 0, scores, -jnp.inf).max(-1, keepdims=True)
    highest = jax.lax.stop_gradient(jnp.where(jnp.isfinite(highest), highest, 0.0))
    drawn = weight * jnp.exp(jnp.minimum(scores - highest, LARGEST_EXPONENT))
    return drawn / jnp.maximum(drawn.sum(-1, keepdims=True), LEAST_TOTAL)


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
    k, v = (x.reshape(rows, heads, blocks * block, depth) for x in (k, v))
    scores = _scores("bnqd,bnkd->bnqk", _ends(q), k)
    shares = _shares(scores, weight.reshape(rows, 1, 1, -1), options.soft_visibility)
    shares = dropout(shares, key, row, options.attention_dropout, layout="bhtf")
    drawn = jnp.einsum("bnqk,bnkd->bnqd", shares.astype(v.dtype), v)
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
    scores = [
        _scores("bnmqd,bnkd->bnmqk", q, _ends(k)),
        _scores("bnmqd,bnmkd->bnmqk", q, _beside(k, chosen)),
    ]
    weights = _weights_of_middle(weight, chosen, repeats)
    shares = _shares(jnp.concatenate(scores, -1), weights, options.soft_visibility)
    by_piece = shares.reshape(*q.shape[:2], -1, shares.shape[-1])
    by_piece = dropout(by_piece, key, row, options.attention_dropout, layout="bhtf")
    shares = by_piece.reshape(shares.shape).astype(v.dtype)
    return jnp.einsum("bnmqk,bnkd->bnmqd", shares[..., :ends], _ends(v)) + jnp.einsum(
        "bnmqk,bnmkd->bnmqd", shares[..., ends:], _beside(v, chosen)
    )


def _scores(pattern: str, queries: Array, keys: Array) -> Array:
    """Scaled products, summed in float32."""
    products = jnp.einsum(pattern, queries, keys, preferred_element_type=jnp.float32)
    return products * queries.shape[-1] ** -0.5


def _weights_of_middle(
    weight: Float[Array, "b 1 c s 1"], chosen: Int[Array, "n middle r"] | None, repeats: int
) -> Float[Array, "b n middle 1 k"]:
    """How much every key of a middle block counts, in the order of its scores."""
    rows, _, blocks, block, _ = weight.shape
    if chosen is not None:  # each head sees blocks of its own
        weight = jnp.broadcast_to(weight, (rows, chosen.shape[0], blocks, block, 1))
    # A neighbour that is the first or the last block is attended to already: it counts once.
    inner = jnp.pad(weight[:, :, 1:-1], ((0, 0), (0, 0), (1, 1), (0, 0), (0, 0)))
    beside = _beside(inner, chosen)[:, :, :, None, :, 0]
    ends = jnp.concatenate([repeats * weight[:, :, 0], weight[:, :, -1]], axis=2)[..., 0]
    ends = jnp.broadcast_to(ends[:, :, None, None], (*beside.shape[:4], 2 * block))
    return jnp.concatenate([ends, beside], axis=-1)
