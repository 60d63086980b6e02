"""Maxima over units and over segments whose gradients are always numbers.

The derivative of `jnp.max` shares a cotangent out among the places that equal the maximum. XLA may
make the operand twice, once with a product and a sum in one rounding and once in two: then no place
equals it, and 0 / 0 is handed back. So the place where it was found counts in any case.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def max_over_units(
    states: Float[Array, "b t f"], seen: Bool[Array, "b t"] | None = None
) -> Float[Array, "b f"]:
    """The largest state of the units that are seen, 0 where none is; equals share the gradient.

    seen: None where every unit is.
    """
    if seen is None:
        return _max(states)
    largest = _max(jnp.where(seen[..., None], states, -jnp.inf))
    return jnp.where(seen.any(1)[:, None], largest, 0.0)


@jax.custom_jvp
def _max(states: Float[Array, "b t f"]) -> Float[Array, "b f"]:
    return states.max(1)


@_max.defjvp
def _max_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (states,), (moved,) = primals, tangents
    largest = states.max(1, keepdims=True)
    place = jax.lax.broadcasted_iota(jnp.int32, states.shape, 1)
    at = (states == largest) | (place == states.argmax(1, keepdims=True))
    share = at / at.sum(1, keepdims=True)
    return largest[:, 0], (share * moved).sum(1)


def max_by_segment(
    values: Float[Array, "b p"], segment: Int[Array, "b p"], segments: int
) -> Float[Array, "b s"]:
    """The largest value of each segment from 0 on, 0 where it has none; of equals the first's."""
    fixed = jax.lax.stop_gradient(values)
    order = jnp.lexsort((-fixed, segment), axis=-1)  # by segment, the largest first
    ordered = jnp.take_along_axis(segment, order, axis=1)
    wanted = jnp.arange(segments)
    begin = jax.vmap(lambda own: jnp.searchsorted(own, wanted))(ordered)
    begin = jnp.minimum(begin, ordered.shape[1] - 1)
    found = jnp.take_along_axis(ordered, begin, axis=1) == wanted[None]
    largest = jnp.take_along_axis(values, jnp.take_along_axis(order, begin, axis=1), axis=1)
    return jnp.where(found, largest, 0.0)
