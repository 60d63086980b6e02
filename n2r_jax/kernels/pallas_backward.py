"""Pallas kernel: the walk back through one direction of a GRU, a tile of texts in each program.

It makes the gradients of the gates alone; whatever follows from them (weights, mask, inputs) is one
product or sum over all steps at once and XLA's work.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from n2r_jax.kernels.gru import Cotangent, Peak
from n2r_jax.kernels.pallas_launch import (
    Edges,
    Launch,
    Sizes,
    call,
    edges,
    load,
    numbers,
    per_text,
    product,
    store,
    whole,
)


def backward(
    hidden: Float[Array, "3 h h"],
    valid: Float[Array, "t b"] | None,
    states: Float[Array, "t h b"],
    gates: Float[Array, "t 4 h b"],
    cotangent: Cotangent,
    *,
    reverse: bool,
    parts: int,
    launch: Launch,
) -> Float[Array, "parts h t b"]:
    """Gradients before the nonlinearities: of r, z, n and, of 4 parts, the hidden part of n."""
    steps, units, batch = states.shape
    sizes, texts = Sizes(steps, units, batch), launch.texts
    padded = sizes.padded
    given = {"hidden": jnp.swapaxes(hidden, 1, 2), "states": states, "gates": gates}
    blocks = {
        "hidden": whole(3, padded, padded),
        "states": per_text(steps, padded, texts),
        "gates": per_text(steps, 4, padded, texts),
    }
    if valid is not None:
        given["valid"], blocks["valid"] = valid, per_text(steps, texts)
    if isinstance(cotangent, Peak):
        given |= cotangent._asdict()
        blocks |= {name: per_text(padded, texts) for name in Peak._fields}
    else:
        given["arriving"], blocks["arriving"] = cotangent, per_text(steps, padded, texts)
    kept = {"gates": jax.ShapeDtypeStruct((parts, units, steps, batch), states.dtype)}
    kept_blocks = {"gates": per_text(parts, padded, steps, texts)}
    kernel = functools.partial(_kernel, sizes=sizes, launch=launch, reverse=reverse, parts=parts)
    return call(kernel, given, blocks, kept, kept_blocks, launch)["gates"]


def _kernel(
    given: dict, kept: dict, *, sizes: Sizes, launch: Launch, reverse: bool, parts: int
) -> None:
    inside = edges(sizes, launch)
    weights = [load(given["hidden"].at[gate], inside.weights) for gate in numbers(3)]
    peak = None
    if "time" in given:
        value = load(given["value"], inside.states).astype(jnp.float32)
        peak = Peak(value, load(given["time"], inside.states))

    def step(index: Array, d_state: Array) -> Array:
        t = index if reverse else sizes.steps - 1 - index
        before = _state_before(given["states"], t, inside, sizes.steps, reverse)
        gates = [load(given["gates"].at[t, part], inside.states) for part in numbers(4)]
        gates = [gate.astype(jnp.float32) for gate in gates]
        d_state = d_state + _arriving(given, peak, t, inside)
        if "valid" in given:
            d_state = d_state * load(given["valid"].at[t], inside.texts).astype(jnp.float32)[None]
        found = _to_gates(d_state, before, gates)
        for part in numbers(parts):
            store(kept["gates"].at[part, :, t], found[part], inside.states)
        d_r, d_z, _, d_hidden_part = found
        d_state = d_state * gates[1]
        for weight, gate in zip(weights, (d_r, d_z, d_hidden_part), strict=True):
            d_state = d_state + product(weight, gate, launch)
        return d_state

    lax.fori_loop(0, sizes.steps, step, jnp.zeros((sizes.padded, launch.texts), jnp.float32))


def _state_before(
    states: Array, t: Array, inside: Edges, steps: int, reverse: bool
) -> Float[Array, "h b"]:
    """The state that step t started from: zeros at the step run first."""
    before = t + 1 if reverse else t - 1
    exists = before < steps if reverse else before >= 0
    place = jnp.minimum(before, steps - 1) if reverse else jnp.maximum(before, 0)
    return load(states.at[place], inside.states & exists).astype(jnp.float32)


def _arriving(given: dict, peak: Peak | None, t: Array, inside: Edges) -> Float[Array, "h b"]:
    """dL/dh_t from outside the recurrence."""
    if peak is None:
        return load(given["arriving"].at[t], inside.states).astype(jnp.float32)
    return jnp.where(peak.time == t, peak.value, 0.0)


def _to_gates(d_state: Array, before: Array, gates: list[Array]) -> tuple[Array, ...]:
    """Gradients before the nonlinearities: of r, z and n, and of the hidden part of n."""
    r, z, n, hidden_part = gates
    d_z = d_state * (before - n) * z * (1 - z)
    d_n = d_state * (1 - z) * (1 - n * n)
    d_r = d_n * hidden_part * r * (1 - r)
    return d_r, d_z, d_n, d_n * r
