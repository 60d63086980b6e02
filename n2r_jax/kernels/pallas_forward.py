"""Pallas kernel: one direction of a GRU over all time steps, a tile of texts in each program.

The input projections are made before, in one product. A step reads its three, writes what is kept
of it, and otherwise touches nothing but registers and shared memory.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from n2r_jax.kernels.gru import LOWEST, Peak, _sigmoid
from n2r_jax.kernels.pallas_launch import (
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


def forward(
    projection: Float[Array, "3 h t b"],
    hidden: Float[Array, "3 h h"],
    bias: Float[Array, "4 h"],
    valid: Float[Array, "t b"] | None,
    pool: Float[Array, "t b"] | None,
    *,
    reverse: bool,
    keep_states: bool,
    keep_gates: bool,
    launch: Launch,
) -> dict[str, Array]:
    """Run all steps; of the results `states`, `gates`, `value` and `time` those asked for.

    bias: of r, of z, of the input part of n, of its hidden part. gates: [T, 4, H, B], of each step
    r, z, n and the hidden part of n. value, time: the maximum where `pool` is 1, and its position.
    """
    _, units, steps, batch = projection.shape
    sizes, texts = Sizes(steps, units, batch), launch.texts
    padded = sizes.padded
    given = {"projection": projection, "hidden": hidden, "bias": bias}
    blocks = {
        "projection": per_text(3, padded, steps, texts),
        "hidden": whole(3, padded, padded),
        "bias": whole(4, padded),
    }
    for name, array in (("valid", valid), ("pool", pool)):
        if array is not None:
            given[name], blocks[name] = array, per_text(steps, texts)
    kept = _results(sizes, projection.dtype, keep_states, keep_gates, pool is not None)
    lead = {"states": (steps,), "gates": (steps, 4)}
    kept_blocks = {name: per_text(*lead.get(name, ()), padded, texts) for name in kept}
    kernel = functools.partial(_kernel, sizes=sizes, launch=launch, reverse=reverse)
    return call(kernel, given, blocks, kept, kept_blocks, launch)


def _results(sizes: Sizes, dtype: Any, states: bool, gates: bool, peak: bool) -> dict:
    """Shapes of what is asked for."""
    steps, units, batch = sizes
    found = {}
    if states:
        found["states"] = jax.ShapeDtypeStruct((steps, units, batch), dtype)
    if gates:
        found["gates"] = jax.ShapeDtypeStruct((steps, 4, units, batch), dtype)
    if peak:
        found["value"] = jax.ShapeDtypeStruct((units, batch), dtype)
        found["time"] = jax.ShapeDtypeStruct((units, batch), jnp.int32)
    return found


def _kernel(given: dict, kept: dict, *, sizes: Sizes, launch: Launch, reverse: bool) -> None:
    inside = edges(sizes, launch)
    weights = [load(given["hidden"].at[gate], inside.weights) for gate in numbers(3)]
    biases = [load(given["bias"].at[part], inside.units) for part in numbers(4)]
    biases = [bias.astype(jnp.float32)[:, None] for bias in biases]

    def step(index: Array, carry: tuple) -> tuple:
        state, peak = carry
        t = sizes.steps - 1 - index if reverse else index
        # Read first: what comes from afar arrives while the products run.
        x = [load(given["projection"].at[gate, :, t], inside.states) for gate in numbers(3)]
        held, pooled = (
            load(given[name].at[t], inside.texts) if name in given else None
            for name in ("valid", "pool")
        )
        new, gates = _advance(x, state, weights, biases, launch)
        if held is not None:
            new = new * held.astype(jnp.float32)[None]
        _keep(kept, t, new, gates, inside.states)
        return new, None if pooled is None else _raise(peak, new, pooled, t, reverse)

    start = jnp.zeros((sizes.padded, launch.texts), jnp.float32)
    peak = Peak(jnp.full_like(start, LOWEST), jnp.zeros(start.shape, jnp.int32))
    carry = (start, peak if "pool" in given else None)
    _, peak = lax.fori_loop(0, sizes.steps, step, carry)
    if peak is not None:
        store(kept["value"], peak.value, inside.states)
        store(kept["time"], peak.time, inside.states)


def _advance(x: list, state: Array, weights: list, biases: list, launch: Launch) -> tuple:
    """The next state, and r, z, n and the hidden part of n; where no unit is, all states stay 0."""
    h_r, h_z, h_n = (product(weight, state, launch) for weight in weights)
    r = _sigmoid(x[0].astype(jnp.float32) + h_r + biases[0])
    z = _sigmoid(x[1].astype(jnp.float32) + h_z + biases[1])
    hidden_part = h_n + biases[3]
    n = jnp.tanh(x[2].astype(jnp.float32) + biases[2] + r * hidden_part)
    return n + z * (state - n), (r, z, n, hidden_part)


def _keep(kept: dict, t: Array, state: Array, gates: tuple, inside: Array) -> None:
    if "states" in kept:
        store(kept["states"].at[t], state, inside)
    if "gates" in kept:
        for part, gate in zip(numbers(4), gates, strict=True):
            store(kept["gates"].at[t, part], gate, inside)


def _raise(peak: Peak, state: Array, pool: Array, t: Array, reverse: bool) -> Peak:
    """Take this step's state into the running maximum; of equals the earliest in the text stays."""
    higher = state >= peak.value if reverse else state > peak.value
    higher = higher & (pool > 0)[None]
    return Peak(jnp.where(higher, state, peak.value), jnp.where(higher, t, peak.time))
