"""The recurrence of `gru.py` for GPUs: the same two functions, by one kernel launch a direction.

A scan over time launches several kernels a step. Here all steps of a direction are one kernel
(`pallas_forward`, `pallas_backward`), and what needs no recurrence, the input projections and the
weight, mask and input gradients, is one matrix product over all steps before or after it.

On a machine without a GPU the kernels run interpreted, for tests. They were lowered and compiled
for GPUs but never run on one: neither their results there nor their speed are known;
`experiments/bench_gru.py` measures both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from n2r_jax.kernels import gru, pallas_launch
from n2r_jax.kernels.gru import Cotangent, Gradients, Peak, Wanted, Weights
from n2r_jax.kernels.pallas_backward import backward
from n2r_jax.kernels.pallas_forward import forward
from n2r_jax.kernels.pallas_launch import Launch


class Tape(NamedTuple):
    """What the walk back needs of every step; None where nobody asked for it."""

    states: Float[Array, "t h b"]
    gates: Float[Array, "t 4 h b"] | None = None
    """Reset, update, candidate and the hidden part of the candidate."""


def run(
    weights: Weights,
    inputs: Float[Array, "t e b"],
    mask: Float[Array, "t b"] | None,
    valid: Float[Array, "t b"] | None,
    *,
    reverse: bool,
    tape: frozenset[str],
    pool: Float[Array, "t b"] | None = None,
    launch: Launch | None = None,
) -> tuple[Any, Peak | None]:
    """`gru.run`; of the tape either the states alone are kept or everything."""
    launch = launch or pallas_launch.default(inputs.dtype)
    dtype = inputs.dtype
    if not (tape or pool is not None) or not _fits(weights, inputs, launch):
        return gru.run(weights, inputs, mask, valid, reverse=reverse, tape=tape, pool=pool)
    found = forward(
        _product(
            "ghe,teb->ghtb", weights.input.astype(dtype), _masked(inputs, mask), launch, dtype
        ),
        weights.hidden.astype(dtype),
        _biases(weights),
        valid,
        pool,
        reverse=reverse,
        keep_states=bool(tape),
        keep_gates=len(tape) > 1,
        launch=launch,
    )
    kept = Tape(found["states"], found.get("gates")) if tape else None
    return kept, (Peak(found["value"], found["time"]) if pool is not None else None)


def walk_back(
    weights: Weights,
    inputs: Float[Array, "t e b"],
    mask: Float[Array, "t b"] | None,
    valid: Float[Array, "t b"] | None,
    tape: Any,
    cotangent: Cotangent,
    *,
    reverse: bool,
    wanted: Wanted,
    launch: Launch | None = None,
) -> Gradients:
    """`gru.walk_back`."""
    launch = launch or pallas_launch.default(inputs.dtype)
    if not _fits(weights, inputs, launch):
        return gru.walk_back(
            weights, inputs, mask, valid, tape, cotangent, reverse=reverse, wanted=wanted
        )
    gates = backward(
        weights.hidden.astype(inputs.dtype),
        valid,
        tape.states,
        tape.gates,
        cotangent,
        reverse=reverse,
        parts=4 if wanted.weights else 3,
        launch=launch,
    )
    found = None
    if wanted.weights:
        found = _weight_gradients(gates, tape.states, _masked(inputs, mask), reverse, launch)
    return Gradients(found, *_input_gradients(weights, inputs, mask, gates[:3], wanted, launch))


def _fits(weights: Weights, inputs: Array, launch: Launch) -> bool:
    return pallas_launch.fits(weights.hidden.shape[-1], inputs.dtype, launch)


def _masked(inputs: Array, mask: Array | None) -> Float[Array, "t e b"]:
    return inputs if mask is None else inputs * mask[:, None]


def _biases(weights: Weights) -> Float[Array, "4 h"]:
    """Of r, of z, of the input part of n and of its hidden part."""
    (r, z, n), (hidden_r, hidden_z, hidden_n) = weights.input_bias, weights.hidden_bias
    return jnp.stack([r + hidden_r, z + hidden_z, n, hidden_n])


def _product(subscripts: str, a: Array, b: Array, launch: Launch, dtype: Any) -> Array:
    """A product over all steps; float32 is only rounded where the launch's precision allows it."""
    exact = launch.precision != "tf32"
    precision = lax.Precision.HIGHEST if exact else lax.Precision.DEFAULT
    return jnp.einsum(subscripts, a, b, precision=precision, preferred_element_type=dtype)


def _weight_gradients(
    gates: Float[Array, "4 h t b"], states: Array, inputs: Array, reverse: bool, launch: Launch
) -> Weights:
    """Each gate's gradient against what it was made of; sums in float32 whatever the states are."""
    # The step run first started from zeros, so its part of the sum is left out.
    later, earlier = (slice(-1), slice(1, None)) if reverse else (slice(1, None), slice(-1))
    total = jnp.float32
    hidden = _product("ghtb,tkb->ghk", gates[:, :, later], states[earlier], launch, total)
    of_input = _product("ghtb,teb->ghe", gates[:3], inputs, launch, total)
    d_r, d_z, d_n, d_hidden_part = gates.astype(total).sum((2, 3))
    return Weights(
        of_input,
        jnp.stack([hidden[0], hidden[1], hidden[3]]),
        jnp.stack([d_r, d_z, d_n]),
        jnp.stack([d_r, d_z, d_hidden_part]),
    )


def _input_gradients(
    weights: Weights,
    inputs: Array,
    mask: Array | None,
    gates: Float[Array, "3 h t b"],
    wanted: Wanted,
    launch: Launch,
) -> tuple[Array | None, Array | None]:
    """Gradients of the mask and of the inputs, from one product."""
    if not (wanted.mask or wanted.inputs):
        return None, None
    dtype = inputs.dtype
    d_x = _product("ghe,ghtb->teb", weights.input.astype(dtype), gates, launch, dtype)
    d_mask = (d_x * inputs).sum(1) if wanted.mask else None
    return d_mask, (_masked(d_x, mask) if wanted.inputs else None)
