# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""Attention over weighted keys with a backward of its own: no [p, p] matrix outlives its use.

    out_i = sum_j p_ij k_ij V_j      p_ij = a_ij v_j      a_ij = exp(s_ij - m_i) / Z_i
    Z_i = sum_j v_j exp(s_ij - m_i)      s = Q K' / sqrt(d)      m_i = max of s_ij + log v_j

v weighs the keys (0 hides one), k is the dropout factor. With dp = k dout V', delta = dout . out:

    t = a (dp - delta)      dv = sum_i t      ds = v t

v goes into K and V, so it costs no pass of its own, and v = 0 counts exactly as nothing. There dv
is the chord's slope, sum_i t / (1 + a): what the result would change by if the key came to weigh
as much as the heaviest, to first order in the result. The tangent's, t itself, has no bound: a
hidden key that would draw nearly all attention has a slope of thousands, for a change of at most 1.

The backward pass makes a again from m and Z, as FlashAttention does (Dao et al. 2022, appendix B).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from n2r_jax.kernels import native, native_attention
from n2r_jax.kernels.dropout import keep_factor

Heads = Float[Array, "b p n d"]
"""[batch, pieces, heads, depth]; of queries there may be fewer than of keys: the first ones."""

LARGEST_EXPONENT = 30.0
"""Of a hidden key's s - m: its gradient stays finite even squared, and only a key that would draw
e^30 times all others' attention is told less than its due."""

LARGEST_WEIGHED = 60.0
"""Of any other's: only a key weighed less than e^-60 of the heaviest could come to more."""

LEAST_WEIGHT = 1e-32
"""A lighter key counts as hidden: dv, which is as large as 1 / v, could overflow."""


class Chosen(NamedTuple):
    """What a call is compiled for."""

    rate: float
    """Of dropout."""
    window: int | None
    """How far away a key may be from a query; None: any."""


class Arguments(NamedTuple):
    """What attention is made of."""

    queries: Heads
    keys: Heads
    values: Heads
    weight: Float[Array, "b p"]
    seed: UInt32[Array, "2"]
    row: Int[Array, " b"]


class Tape(NamedTuple):
    """What the backward pass needs besides the arguments."""

    out: Heads
    highest: Float[Array, "b n q 1"]
    total: Float[Array, "b n q 1"]


def near(queries: int, keys: int, window: int | None) -> Bool[Array, "1 1 q k"]:
    """Whether key k lies in query q's window."""
    reach = max(queries, keys) if window is None else window
    return (abs(jnp.arange(queries)[:, None] - jnp.arange(keys)[None]) <= reach)[None, None]


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
    # Weights count relative to each other alone, so what they are divided by has no gradient.
    weight = jnp.where((weight > 0) & (weight < LEAST_WEIGHT), 0.0, weight)
    heaviest = jax.lax.stop_gradient(weight.max(1, keepdims=True))
    weight = weight / jnp.where(heaviest > 0, jnp.maximum(heaviest, 1e-12), 1.0)
    return _attention(queries, keys, values, weight, seed, row, chosen)


@partial(jax.custom_vjp, nondiff_argnums=(6,))
def _attention(
    queries: Heads,
    keys: Heads,
    values: Heads,
    weight: Array,
    seed: Array,
    row: Array,
    chosen: Chosen,
) -> Heads:
    return _forward(Arguments(queries, keys, values, weight, seed, row), chosen).out


def _forward(arguments: Arguments, chosen: Chosen) -> Tape:
    if native.suits(arguments.queries):
        return Tape(*native_attention.forward(arguments, chosen))
    queries, keys, values, weight, seed, row = arguments
    scores = _scores(queries, keys)
    counts = (weight > 0)[:, None, None, :] & _near(scores, chosen)
    weighed = scores + jnp.log(weight)[:, None, None, :]
    highest = jnp.where(counts, weighed, -jnp.inf).max(-1, keepdims=True)
    highest = jnp.where(jnp.isfinite(highest), highest, 0.0)
    drawn = _drawn(scores, highest, weight, chosen)
    total = jnp.einsum("bnqk,bk->bnq", drawn, weight)[..., None]
    total = jnp.where(total > 0, total, 1.0)
    kept = (_dropped(drawn, seed, row, chosen) / total).astype(values.dtype)
    return Tape(jnp.einsum("bnqk,bknd->bqnd", kept, _times(values, weight)), highest, total)


def _backward(arguments: Arguments, tape: Tape, d_out: Heads, chosen: Chosen) -> tuple:
    """Gradients of queries, keys, values and weight."""
    if native.suits(arguments.queries):
        return native_attention.backward(arguments, tape, d_out, chosen)
    queries, keys, values, weight, seed, row = arguments
    out, highest, total = tape
    drawn = _drawn(_scores(queries, keys), highest, weight, chosen)
    kept = (_dropped(drawn, seed, row, chosen) / total).astype(values.dtype)
    d_values = _times(jnp.einsum("bnqk,bqnd->bknd", kept, d_out), weight)

    d_shares = jnp.einsum("bqnd,bknd->bnqk", d_out, values, preferred_element_type=jnp.float32)
    delta = jnp.einsum("bqnd,bqnd->bnq", d_out, out, preferred_element_type=jnp.float32)
    share = drawn / total
    pull = share * (_dropped(d_shares, seed, row, chosen) - delta[..., None])
    hidden = (weight == 0)[:, None, None, :]
    d_weight = jnp.where(hidden, pull / (1 + share), pull).sum((1, 2))
    pull = (pull * queries.shape[3] ** -0.5).astype(values.dtype)
    d_queries = jnp.einsum("bnqk,bknd->bqnd", pull, _times(keys, weight))
    d_keys = _times(jnp.einsum("bnqk,bqnd->bknd", pull, queries), weight)
    return d_queries, d_keys, d_values, d_weight


def _with_tape(*arguments: Any) -> tuple:
    *arrays, chosen = arguments
    tape = _forward(Arguments(*arrays), chosen)
    return tape.out, (Arguments(*arrays), tape)


def _walk_back(chosen: Chosen, residuals: tuple[Arguments, Tape], d_out: Heads) -> tuple:
    arguments, tape = residuals
    return (*_backward(arguments, tape, d_out, chosen), None, None)


_attention.defvjp(_with_tape, _walk_back)


def _scores(queries: Heads, keys: Heads) -> Float[Array, "b n q k"]:
    scores = jnp.einsum("bqnd,bknd->bnqk", queries, keys, preferred_element_type=jnp.float32)
    return scores * queries.shape[3] ** -0.5


def _drawn(scores: Array, highest: Array, weight: Array, chosen: Chosen) -> Float[Array, "b n q k"]:
    """exp(s - m), 0 outside the window."""
    most = jnp.where(weight > 0, LARGEST_WEIGHED, LARGEST_EXPONENT)[:, None, None, :]
    drawn = jnp.exp(jnp.minimum(scores - highest, most))
    return drawn if chosen.window is None else jnp.where(_near(scores, chosen), drawn, 0.0)


def _near(scores: Array, chosen: Chosen) -> Bool[Array, "1 1 q k"]:
    return near(scores.shape[2], scores.shape[3], chosen.window)


def _dropped(shares: Array, seed: Array, row: Array, chosen: Chosen) -> Float[Array, "b n q k"]:
    """The shares times the dropout factors, the same in both passes."""
    if chosen.rate == 0:
        return shares
    start = jnp.zeros((), jnp.int32)
    return shares * keep_factor(seed, row, start, shares.shape, chosen.rate, "bhtf")


def _times(heads: Heads, weight: Float[Array, "b p"]) -> Heads:
    return heads * weight.astype(heads.dtype)[:, :, None, None]
