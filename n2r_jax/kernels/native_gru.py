"""The recurrence of `gru.py` by the compiled functions: the same two functions, for float32."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.kernels import native
from n2r_jax.kernels.gru import Cotangent, Gradients, Peak, Wanted, Weights
from n2r_jax.kernels.native import floats


class Tape(NamedTuple):
    """What the walk back needs of every step; None where nobody asked for it."""

    states: Float[Array, "t h b"]
    gates: Float[Array, "tiles t h 4 columns"] | None = None
    """Reset, update, candidate and the hidden part of the candidate, tile of texts by tile."""


def run(
    weights: Weights,
    inputs: Float[Array, "t e b"],
    mask: Float[Array, "t b"] | None,
    valid: Float[Array, "t b"] | None,
    *,
    reverse: bool,
    tape: frozenset[str],
    pool: Float[Array, "t b"] | None = None,
) -> tuple[Tape | None, Peak | None]:
    """`gru.run`; of the tape either the states alone are kept or everything."""
    steps, _, batch = inputs.shape
    units = weights.hidden.shape[-1]
    everything = len(tape) > 1
    columns = native.texts_per_tile() or 1
    tiles = -(-batch // columns)
    pooled = (units if pool is not None else 0, batch)
    results = [
        floats(steps if tape else 0, units, batch),
        floats(tiles if everything else 0, steps, units, 4, columns),
        floats(*pooled),
        jax.ShapeDtypeStruct(pooled, jnp.int32),
    ]
    arrays = (inputs, or_empty(mask), or_empty(valid), or_empty(pool), *weights)
    call = native.function("n2r_gru_forward", results)
    states, gates, value, time = call(*arrays, reverse=reverse)
    kept = Tape(states, gates if everything else None) if tape else None
    return kept, (Peak(value, time) if pool is not None else None)


def walk_back(
    weights: Weights,
    inputs: Float[Array, "t e b"],
    mask: Float[Array, "t b"] | None,
    valid: Float[Array, "t b"] | None,
    tape: Tape,
    cotangent: Cotangent,
    *,
    reverse: bool,
    wanted: Wanted,
) -> Gradients:
    """`gru.walk_back`."""
    nothing = or_empty(None)
    if isinstance(cotangent, Peak):
        each, peak = nothing, cotangent
    else:
        each, peak = cotangent, Peak(nothing, nothing.astype(jnp.int32))

    steps, _, batch = inputs.shape
    results = [floats(*w.shape) if wanted.weights else floats(0) for w in weights]
    results.append(floats(steps, batch) if wanted.mask else floats(0))
    results.append(floats(*inputs.shape) if wanted.inputs else floats(0))
    found = native.function("n2r_gru_backward", results)(
        inputs,
        or_empty(mask),
        or_empty(valid),
        weights.input,
        weights.hidden,
        weights.hidden_bias,
        tape.states,
        tape.gates,
        each,
        *peak,
        reverse=reverse,
    )
    return Gradients(
        Weights(*found[:4]) if wanted.weights else None,
        found[4] if wanted.mask else None,
        found[5] if wanted.inputs else None,
    )


def or_empty(array: Array | None) -> Array:
    """An array, or the empty one that stands for an input that there is none of."""
    return jnp.zeros((0,), jnp.float32) if array is None else array
