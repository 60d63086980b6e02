# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""Attention over weighted keys with a backward of its own: no [p, p] matrix outlives its use.

    out_i = sum_j p_ij k_ij V_j      p_ij = a_ij v_j      a_ij = exp(s_ij - m_i) / Z_i
    Z_i = sum_j v_j exp(s_ij - m_i)      s = Q K' / sqrt(d)      m_i = max of s_ij where v_j > 0

v weighs the keys (0 hides one), k is the dropout factor. With dp = k dout V', delta = dout . out:

    t = a (dp - delta)      dv = sum_i t      ds = v t

v goes into K and V, so it costs no pass of its own, and v = 0 counts exactly as nothing. The
backward pass makes a again from m and Z, as FlashAttention does (Dao et al. 2022, appendix B).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from n2r_jax.kernels.dropout import keep_factor

Heads = Float[Array, "b p n d"]

LARGEST_EXPONENT = 30.0
"""Of a hidden key's s - m: its gradient stays finite even squared, and only a key that would draw
e^30 times all others' attention is told less than its due."""

LEAST_TOTAL = 1e-30
"""Z where dv is made: of keys weighed less than this altogether the gradient could overflow."""


class Chosen(NamedTuple):
    """What a call is compiled for."""

    rate: float
    """Of dropout."""
    window: int | None
    """How far away a key may be from a query; None: any."""


class Tape(NamedTuple):
    """What the backward pass needs besides the arguments."""

    out: Heads
    highest: Float[Array, "b n q 1"]
    total: Float[Array, "b n q 1"]


def near(pieces: int, window: int | None) -> Bool[Array, "1 1 q k"]:
    """Whether key k lies in query q's window."""
    place = jnp.arange(pieces)
    reach = pieces if window is None else window
    return (abs(place[:, None] - place[None, :]) <= reach)[None, None]


@partial(jax.custom_vjp, nondiff_argnums=(6,))
def weighted_attention(
    queries: Heads,
    keys: Heads,
    values: Heads,
    weight: Float[Array, "b p"],
    seed: UInt32[Array, "2"],
    row: Int[Array, " b"],
    chosen: Chosen,
) -> Heads:
    """The formula above; where no key counts, 0."""
    return _forward(queries, keys, values, weight, seed, row, chosen)[0]


def _forward(
    queries: Heads,
    keys: Heads,
    values: Heads,
    weight: Array,
    seed: Array,
    row: Array,
    chosen: Chosen,
) -> tuple:
    scores = _scores(queries, keys)
    counts = (weight > 0)[:, None, None, :] & near(keys.shape[1], chosen.window)
    highest = jnp.where(counts, scores, -jnp.inf).max(-1, keepdims=True)
    highest = jnp.where(jnp.isfinite(highest), highest, 0.0)
    drawn = _drawn(scores, highest, chosen)
    total = jnp.einsum("bnqk,bk->bnq", drawn, weight)[..., None]
    total = jnp.where(total > 0, total, 1.0)
    kept = (_dropped(drawn, seed, row, chosen) / total).astype(values.dtype)
    out = jnp.einsum("bnqk,bknd->bqnd", kept, _times(values, weight))
    return out, (queries, keys, values, weight, seed, row, Tape(out, highest, total))


def _backward(chosen: Chosen, residuals: tuple, d_out: Heads) -> tuple:
    queries, keys, values, weight, seed, row, (out, highest, total) = residuals
    dtype = values.dtype
    drawn = _drawn(_scores(queries, keys), highest, chosen)
    kept = (_dropped(drawn, seed, row, chosen) / total).astype(dtype)
    d_values = _times(jnp.einsum("bnqk,bqnd->bknd", kept, d_out), weight)

    d_shares = jnp.einsum("bqnd,bknd->bnqk", d_out, values, preferred_element_type=jnp.float32)
    delta = jnp.einsum("bqnd,bqnd->bnq", d_out, out, preferred_element_type=jnp.float32)
    pull = _dropped(d_shares, seed, row, chosen) - delta[..., None]
    d_weight = (drawn / jnp.maximum(total, LEAST_TOTAL) * pull).sum((1, 2))
    pull = (drawn / total * pull * queries.shape[3] ** -0.5).astype(dtype)
    d_queries = jnp.einsum("bnqk,bknd->bqnd", pull, _times(keys, weight))
    d_keys = _times(jnp.einsum("bnqk,bqnd->bknd", pull, queries), weight)
    return d_queries, d_keys, d_values, d_weight, None, None


weighted_attention.defvjp(_forward, _backward)


def _scores(queries: Heads, keys: Heads) -> Float[Array, "b n q k"]:
    scores = jnp.einsum("bqnd,bknd->bnqk", queries, keys, preferred_element_type=jnp.float32)
    return scores * queries.shape[3] ** -0.5


def _drawn(scores: Array, highest: Array, chosen: Chosen) -> Float[Array, "b n q k"]:
    """exp(s - m), 0 outside the window."""
    drawn = jnp.exp(jnp.minimum(scores - highest, LARGEST_EXPONENT))
    if chosen.window is None:
        return drawn
    return jnp.where(near(scores.shape[-1], chosen.window), drawn, 0.0)


def _dropped(shares: Array, seed: Array, row: Array, chosen: Chosen) -> Float[Array, "b n q k"]:
    """The shares times the dropout factors, the same in both passes."""
    if chosen.rate == 0:
        return shares
    start = jnp.zeros((), jnp.int32)
    return shares * keep_factor(seed, row, start, shares.shape, chosen.rate, "bhtf")


def _times(heads: Heads, weight: Float[Array, "b p"]) -> Heads:
    return heads * weight.astype(heads.dtype)[:, :, None, None]
