"""LayerNorm, dropout and a linear layer to one number a token, as one walk over time.

    score = sum_f w_f k_f (scale_f xhat_f + offset_f)      xhat = (h - mean h) / sqrt(var h + eps)

k is the dropout factor. The states of all tokens are large (25 MB and more), a step's fit a core's
cache: so each step is finished before the next one is read, and the backward pass makes xhat and k
again instead of keeping them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Key, UInt32

from n2r_jax.kernels import native
from n2r_jax.kernels.dropout import keep_factor, threshold
from n2r_jax.kernels.native import floats

States = tuple[Float[Array, "t h b"], Float[Array, "t h b"]]

EPSILON = 1e-5
"""Added to LayerNorm's variance, as PyTorch does."""


class Head(NamedTuple):
    """What turns the two halves of a state into a score."""

    weight: Float[Array, "2 h"]
    scale: Float[Array, "2 h"]
    offset: Float[Array, "2 h"]


class Moments(NamedTuple):
    """What a token's score leaves for its backward pass, [T, B] each."""

    mean: Any
    root: Any
    """1 / sqrt(var + eps)."""
    slope: Any
    """sum_f w_f scale_f k_f."""
    normed: Any
    """sum_f w_f scale_f k_f xhat_f."""


class HalfMoments(NamedTuple):
    """What a token's score needs of its state in one direction, [T, B] each; there is no noise."""

    mean: Any
    squares: Any
    """sum_f (h_f - mean)^2."""
    product: Any
    """sum_f w_f scale_f (h_f - mean)."""


class StateMoments(NamedTuple):
    """Those of both directions, in place of `States`."""

    ahead: HalfMoments
    back: HalfMoments


def scores_of_moments(moments: StateMoments, head: Head) -> Float[Array, "t b"]:
    """`token_scores` without dropout, of the moments of the states.

    Sums of deviations from a half's own mean are carried over to the mean of both: no difference of
    large numbers is taken.
    """
    units = head.weight.shape[-1]
    slopes = (head.weight * head.scale).sum(1)
    ahead, back = moments
    apart = (ahead.mean - back.mean) / 2
    variance = (ahead.squares + back.squares) / (2 * units) + apart**2
    product = ahead.product + back.product + apart * (slopes[0] - slopes[1])
    return product * lax.rsqrt(variance + EPSILON) + (head.weight * head.offset).sum()


def token_scores(
    states: States,
    head: Head,
    row: Int[Array, " b"],
    rate: float,
    key: Key[Array, ""] | None,
) -> Float[Array, "t b"]:
    """Score of every token from the states of both directions; without a key no dropout."""
    if key is None or rate == 0:
        return _scores(states, head, jnp.zeros((2, 2), jnp.uint32), row, 0.0)
    bits = jax.vmap(lambda k: jax.random.bits(k, (2,), jnp.uint32))(jax.random.split(key))
    return _scores(states, head, bits, row, rate)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _scores(states: States, head: Head, bits: UInt32[Array, "2 2"], row: Array, rate: float):
    return _forward(states, head, bits, row, rate)[0]


def _forward(states: States, head: Head, bits: Array, row: Array, rate: float) -> tuple:
    walk = _native_walk if native.suits(states[0]) else _walk
    scores, moments = walk(states, head, bits, row, rate)
    return scores, (states, head, bits, row, moments)


def _backward(rate: float, residuals: tuple, cotangent: Float[Array, "t b"]) -> tuple:
    states, head, bits, row, moments = residuals
    walk_back = _native_walk_back if native.suits(states[0]) else _walk_back
    d_states, d_slopes, d_offsets = walk_back(states, head, bits, row, rate, moments, cotangent)
    d_weight = d_slopes * head.scale + d_offsets * head.offset
    return d_states, Head(d_weight, d_slopes * head.weight, d_offsets * head.weight), None, None


_scores.defvjp(_forward, _backward)


def _walk(states: States, head: Head, bits: Array, row: Array, rate: float) -> tuple:
    """Scores and their moments, by XLA."""
    steps, units, batch = states[0].shape
    slopes = (head.weight * head.scale)[:, :, None]
    offsets = (head.weight * head.offset)[:, :, None]

    def step(t: Array, kept: tuple) -> tuple:
        halves = _read(states, t)
        mean = (halves[0].sum(0) + halves[1].sum(0)) / (2 * units)
        centred = [h - mean[None] for h in halves]
        squares = [(c * c).sum(0) for c in centred]
        root = lax.rsqrt((squares[0] + squares[1]) / (2 * units) + EPSILON)
        slope = normed = constant = jnp.zeros_like(mean)
        for d in (0, 1):
            keep = _keep(bits[d], row, t, units, rate)
            slope += (slopes[d] * keep).sum(0)
            normed += (slopes[d] * keep * centred[d]).sum(0)
            constant += (offsets[d] * keep).sum(0)
        normed *= root
        found = (normed + constant, Moments(mean, root, slope, normed))
        return jax.tree.map(lambda all, one: all.at[t].set(one), kept, found)

    blank = jnp.zeros((steps, batch), states[0].dtype)
    scores, moments = lax.fori_loop(0, steps, step, (blank, Moments(blank, blank, blank, blank)))
    return scores, moments


def _walk_back(
    states: States,
    head: Head,
    bits: Array,
    row: Array,
    rate: float,
    moments: Moments,
    cotangent: Any,
) -> tuple:
    """Gradients of the states, of w scale and of w offset, by XLA.

    dL/dh = root g (s - mean_f(s) - xhat mean_f(s xhat)) with s = w scale k, g = dL/dscore.
    """
    steps, units, batch = states[0].shape
    slopes = (head.weight * head.scale)[:, :, None]

    def step(t: Array, carry: tuple) -> tuple:
        d_states, d_slopes, d_offsets = (list(part) for part in carry)
        mean, root, slope, normed = (m[t] for m in moments)
        d_score = cotangent[t]
        for d, half in enumerate(_read(states, t)):
            keep = _keep(bits[d], row, t, units, rate)
            xhat = (half - mean[None]) * root[None]
            pull = slopes[d] * keep - (slope[None] + xhat * normed[None]) / (2 * units)
            d_half = (root * d_score)[None] * pull
            d_states[d] = lax.dynamic_update_index_in_dim(d_states[d], d_half, t, 0)
            d_slopes[d] += d_score[None] * (keep * xhat)
            d_offsets[d] += d_score[None] * keep
        return tuple(d_states), tuple(d_slopes), tuple(d_offsets)

    zeros = jnp.zeros((units, batch), states[0].dtype)
    blank = tuple(lax.empty(half.shape, half.dtype) for half in states)
    start = (blank, (zeros, zeros), (zeros, zeros))
    d_states, *sums = lax.fori_loop(0, steps, step, start)
    d_slopes, d_offsets = (jnp.stack([part.sum(1) for part in pair]) for pair in sums)
    return d_states, d_slopes, d_offsets


def _read(states: States, t: Array) -> list[Float[Array, "h b"]]:
    return [lax.dynamic_index_in_dim(half, t, 0, keepdims=False) for half in states]


def _keep(bits: Array, row: Array, t: Array, units: int, rate: float) -> Any:
    """The dropout factors [H, B] of one step; the number 1 where nothing is dropped."""
    if rate == 0:
        return 1.0
    return keep_factor(bits, row, t, (1, units, row.shape[0]), rate)[0]


def _native_walk(states: States, head: Head, bits: Array, row: Array, rate: float) -> tuple:
    """`_walk` by the compiled function."""
    steps, _, batch = states[0].shape
    call = native.function("n2r_token_scores_forward", [floats(steps, batch)] * 5)
    found = call(*states, *head, bits, row.astype(jnp.int32), **_dropout_attributes(rate))
    return found[0], Moments(*found[1:])


def _native_walk_back(
    states: States,
    head: Head,
    bits: Array,
    row: Array,
    rate: float,
    moments: Moments,
    cotangent: Any,
) -> tuple:
    """`_walk_back` by the compiled function."""
    results = [floats(*a.shape) for a in (*states, head.weight, head.weight)]
    call = native.function("n2r_token_scores_backward", results)
    arrays = (*states, *head, bits, row.astype(jnp.int32), *moments, cotangent)
    ahead, back, d_slopes, d_offsets = call(*arrays, **_dropout_attributes(rate))
    return (ahead, back), d_slopes, d_offsets


def _dropout_attributes(rate: float) -> dict[str, Any]:
    return {"rate": np.float32(rate), "threshold": np.uint32(threshold(rate))}
