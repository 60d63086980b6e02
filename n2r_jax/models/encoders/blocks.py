"""Attention whose pieces are cut into blocks, each of which sees a few others only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import LARGEST_EXPONENT, Heads
from n2r_jax.kernels.dropout import dropout
from n2r_jax.models.encoders.interface import EncoderOptions

Blocks = Float[Array, "b n c s d"]
"""What n heads attend with, cut into c blocks of s pieces."""

LEAST_TOTAL = 1e-15
"""Of weights: of pieces that count less than this altogether the gradient could overflow."""


def in_blocks(x: Heads, block: int) -> Blocks:
    """Cut p pieces into p / block blocks; heads come first, as matrix products want them."""
    rows, pieces, heads, depth = x.shape
    return x.reshape(rows, pieces // block, block, heads, depth).transpose(0, 3, 1, 2, 4)


def from_blocks(x: Blocks) -> Heads:
    """Undo `in_blocks`."""
    rows, heads, blocks, block, depth = x.shape
    return x.transpose(0, 2, 3, 1, 4).reshape(rows, blocks * block, heads, depth)


def key_weights(visible: Float[Array, "b p"], options: EncoderOptions) -> Float[Array, "b p"]:
    """How much a piece counts: `visible`, or without gradients to it whether it is above 0."""
    return (visible if options.soft_visibility else visible > 0).astype(jnp.float32)


def pad_pieces(x: Float[Array, "b p ..."], block: int) -> Float[Array, "b q ..."]:
    """Zeros behind the last piece, up to the next multiple of `block`."""
    missing = -x.shape[1] % block
    return jnp.pad(x, [(0, 0), (0, missing)] + [(0, 0)] * (x.ndim - 2)) if missing else x


def scaled(pattern: str, queries: Array, keys: Array) -> Array:
    """Products of queries and keys over sqrt(d), summed in float32."""
    products = jnp.einsum(pattern, queries, keys, preferred_element_type=jnp.float32)
    return products * queries.shape[-1] ** -0.5


def drawn_shares(
    scores: Float[Array, "*n q k"],
    weight: Float[Array, "*n q k"],
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
) -> tuple[Float[Array, "*n q k"], Float[Array, "*n q 1"]]:
    """(a, z) of p_k = w_k a_k / z = w_k exp(s_k) / sum_j w_j exp(s_j), a after dropout.

    w is left to the values: w_k V_k needs no matrix of its own, and its gradient is exact at 0 too.
    Shapes: weight broadcasts to scores, whose axes are row, head, any number of axes that together
    count the queries, key.
    """
    highest = jnp.where(weight > 0, jax.lax.stop_gradient(scores), -jnp.inf).max(-1, keepdims=True)
    highest = jnp.where(jnp.isfinite(highest), highest, 0.0)
    drawn = _capped_exp(scores - highest)
    total = jnp.maximum((weight * drawn).sum(-1, keepdims=True), LEAST_TOTAL)
    by_piece = drawn.reshape(*drawn.shape[:2], -1, drawn.shape[-1])
    by_piece = dropout(by_piece, key, row, options.attention_dropout, layout="bhtf")
    return by_piece.reshape(drawn.shape), total


def mixed(pattern: str, shares: Array, values: Array) -> Array:
    """Values by shares, computed in the values' type and summed in float32."""
    shares = shares.astype(values.dtype)
    return jnp.einsum(pattern, shares, values, preferred_element_type=jnp.float32)


@jax.custom_jvp
def _capped_exp(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """exp, of at most LARGEST_EXPONENT, whose derivative is the result: nothing else is stored.

    Beyond the cap that is no derivative, but only hidden keys get there, and theirs is times 0.
    """
    return jnp.exp(jnp.minimum(x, LARGEST_EXPONENT))


@_capped_exp.defjvp
def _capped_exp_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = _capped_exp(*primals)
    return y, y * tangents[0]
