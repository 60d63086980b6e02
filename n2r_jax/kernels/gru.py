"""One direction of a GRU over time, and the walk back through it.

The gates are PyTorch's (separate input and hidden biases, which matters to Adam):

    r = sigmoid(W_r x + b_r + U_r h + c_r)        n  = tanh(W_n x + b_n + r * (U_n h + c_n))
    z = sigmoid(W_z x + b_z + U_z h + c_z)        h' = (1 - z) * n + z * h

Everything is time-major and feature-major: inputs are [T, E, B], states [H, B]. The batch is the
vector lane, so each gate is one matrix product [H, H] x [H, B] and no step reshapes or transposes
anything. `bigru.py` puts two directions together and owns the differentiation rules.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int


class Weights(NamedTuple):
    """Parameters of one direction (or, with a leading axis of 2, of both). Gates: r, z, n."""

    input: Float[Array, "*d 3 h e"]
    hidden: Float[Array, "*d 3 h h"]
    input_bias: Float[Array, "*d 3 h"]
    hidden_bias: Float[Array, "*d 3 h"]


class Tape(NamedTuple):
    """What the walk back needs of every step, [T, H, B] each; where nobody asked for it, None."""

    states: Any
    reset: Any = None
    update: Any = None
    candidate: Any = None
    hidden_part: Any = None


class Peak(NamedTuple):
    """The running maximum over time and where it was reached, so no [T, H, B] is ever pooled."""

    value: Float[Array, "h b"]
    time: Int[Array, "h b"]


Cotangent = Float[Array, "t h b"] | Peak
"""dL/dh from outside the recurrence: of every step, or of each unit at a single one."""

STEPS_PER_PRODUCT = 4
"""Steps gathered before each weight-gradient product: four was fastest on CPU (2, 4, 8, 16)."""

LOWEST = -1e6
"""What an excluded position counts as in the maximum over time."""


def _sigmoid(x: Array) -> Array:
    """The logistic function by tanh, which XLA vectorises on CPU and exp it does not."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def _at(array: Array, index: Any) -> Array:
    return lax.dynamic_index_in_dim(array, index, 0, keepdims=False)


def _put(array: Array, row: Array, index: Any) -> Array:
    return lax.dynamic_update_index_in_dim(array, row, index, 0)


def _blank(shape: tuple[int, ...], filling: Array) -> Array:
    """A buffer whose every row will be put.

    Each wants a number of its own from the data: XLA makes one buffer of equal constants and copies
    it into every loop at the start (370 instead of 232 MB a device, 1.50 instead of 1.23 GB peak).
    """
    return jnp.broadcast_to(filling, shape)


def run(
    weights: Weights,
    inputs: Float[Array, "t e b"],
    mask: Float[Array, "t b"] | None,
    valid: Float[Array, "t b"] | None,
    *,
    reverse: bool,
    tape: frozenset[str],
    pool: Float[Array, "t b"] | None = None,
) -> tuple[Any, Any]:
    """Run one direction over all steps: (Tape, Peak), each None where nobody asked for it.

    `mask` scales the input of a step (the rationale mask). Where `valid` is 0, after a text's end,
    the state is held at zero: so the reverse direction starts at every text's own end. `tape` names
    the members of Tape to keep, `pool` the positions that the maximum over time is taken of.
    """
    steps, _, batch = inputs.shape
    units, dtype = weights.hidden.shape[-1], inputs.dtype
    w = weights.input.reshape(3 * units, -1).astype(dtype)
    u = weights.hidden.reshape(3 * units, units).astype(dtype)
    bias = weights.input_bias.astype(dtype)[:, :, None]
    hidden_bias = weights.hidden_bias.astype(dtype)[:, :, None]

    def step(index: Array, carry: tuple) -> tuple:
        state, kept, peak = carry
        t = steps - 1 - index if reverse else index
        x = _at(inputs, t) if mask is None else _at(inputs, t) * _at(mask, t)[None]
        x_r, x_z, x_n = (w @ x).reshape(3, units, batch)
        h_r, h_z, h_n = (u @ state).reshape(3, units, batch)
        r = _sigmoid(x_r + h_r + (bias[0] + hidden_bias[0]))
        z = _sigmoid(x_z + h_z + (bias[1] + hidden_bias[1]))
        hidden_part = h_n + hidden_bias[2]
        n = jnp.tanh(x_n + bias[2] + r * hidden_part)
        new = n + z * (state - n)
        if valid is not None:
            new = new * _at(valid, t)[None]
        now = Tape(new, r, z, n, hidden_part)
        kept = {name: _put(kept[name], getattr(now, name), t) for name in kept}
        return new, kept, _raise(peak, new, pool, t, reverse) if pool is not None else None

    start = jnp.zeros((units, batch), dtype)
    fillings = (w.ravel()[place % w.size] for place in range(len(tape)))
    kept = {
        name: _blank((steps, *start.shape), filling)
        for name, filling in zip(sorted(tape), fillings, strict=True)
    }
    nowhere = jnp.zeros((units, batch), jnp.int32)
    peak = None if pool is None else Peak(jnp.full_like(start, LOWEST), nowhere)
    _, kept, peak = lax.fori_loop(0, steps, step, (start, kept, peak))
    return (Tape(**kept) if kept else None), peak


def _raise(peak: Peak, state: Array, pool: Array, t: Array, reverse: bool) -> Peak:
    """Take this step's state into the running maximum; of equals the earliest in the text stays."""
    higher = state >= peak.value if reverse else state > peak.value
    higher = higher & (_at(pool, t) > 0)[None]
    return Peak(jnp.where(higher, state, peak.value), jnp.where(higher, t, peak.time))


class Wanted(NamedTuple):
    """Which gradients a walk back has to produce."""

    weights: bool
    mask: bool
    inputs: bool


class Gradients(NamedTuple):
    """What a walk back produced; a member that nobody wanted is None."""

    weights: Weights | None
    mask: Float[Array, "t b"] | None
    inputs: Float[Array, "t e b"] | None


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
    """Carry dL/dh from the last step run to the first.

    Gradients of the mask and of the inputs cost one more matrix product a step and are only made
    where asked for.
    """
    steps, features, batch = inputs.shape
    units, dtype = weights.hidden.shape[-1], inputs.dtype
    u_r, u_z, u_n = jnp.swapaxes(weights.hidden, 1, 2).astype(dtype)
    w_transposed = weights.input.reshape(3 * units, features).T.astype(dtype)
    chunk = STEPS_PER_PRODUCT if wanted.weights else 1
    while steps % chunk:
        chunk //= 2

    def body(index: Array, carry: tuple) -> tuple:
        d_state, sums, d_mask, d_inputs = carry
        seen: list[tuple[Array, ...]] = []
        for k in range(chunk):
            step = index * chunk + k
            t = step if reverse else steps - 1 - step
            state = _state_before(tape.states, t, reverse)
            d_state = _valid_alone(d_state + _arriving(cotangent, t), valid, t)
            gates = _to_gates(d_state, state, tape, t)
            d_r, d_z, d_n, d_hidden_n = gates
            d_state = d_state * _at(tape.update, t) + u_r @ d_r + u_z @ d_z + u_n @ d_hidden_n
            if wanted.weights:
                x = _at(inputs, t)
                seen.append((*gates, state, x if mask is None else x * _at(mask, t)[None]))
            if wanted.inputs or wanted.mask:
                d_x = w_transposed @ jnp.concatenate([d_r, d_z, d_n])
                if wanted.mask:
                    d_mask = _put(d_mask, (d_x * _at(inputs, t)).sum(0), t)
                if wanted.inputs:
                    d_inputs = _put(d_inputs, d_x if mask is None else d_x * _at(mask, t)[None], t)
        if wanted.weights:
            sums = _accumulate(sums, seen)
        return d_state, sums, d_mask, d_inputs

    carry = (
        jnp.zeros((units, batch), dtype),
        _empty_sums(units, features, batch) if wanted.weights else None,
        jnp.zeros((steps, batch), dtype) if wanted.mask else None,
        lax.empty(inputs.shape, dtype) if wanted.inputs else None,
    )
    _, sums, d_mask, d_inputs = lax.fori_loop(0, steps // chunk, body, carry)
    return Gradients(_weights_from(sums) if wanted.weights else None, d_mask, d_inputs)


def _state_before(states: Float[Array, "t h b"], t: Array, reverse: bool) -> Float[Array, "h b"]:
    """The state that step t started from: zeros at the step run first."""
    steps = states.shape[0]
    before = t + 1 if reverse else t - 1
    inside = (before < steps) if reverse else (before >= 0)
    return _at(states, jnp.clip(before, 0, steps - 1)) * inside.astype(states.dtype)


def _valid_alone(d_state: Array, valid: Array | None, t: Array) -> Float[Array, "h b"]:
    return d_state if valid is None else d_state * _at(valid, t)[None]


def _to_gates(d_state: Array, state: Array, tape: Tape, t: Array) -> tuple[Array, ...]:
    """Gradients before the nonlinearities: of r, z and n, and of the hidden part of n."""
    r, z = _at(tape.reset, t), _at(tape.update, t)
    n, hidden_part = _at(tape.candidate, t), _at(tape.hidden_part, t)
    d_z = d_state * (state - n) * z * (1 - z)
    d_n = d_state * (1 - z) * (1 - n * n)
    d_r = d_n * hidden_part * r * (1 - r)
    return d_r, d_z, d_n, d_n * r


def _arriving(cotangent: Cotangent, t: Array) -> Float[Array, "h b"]:
    """dL/dh_t from outside the recurrence."""
    if isinstance(cotangent, Peak):
        return jnp.where(cotangent.time == t, cotangent.value, jnp.zeros_like(cotangent.value))
    return _at(cotangent, t)


def _empty_sums(units: int, features: int, batch: int) -> dict[str, tuple[Array, ...]]:
    """Running sums of the weight gradients, in float32 whatever the states are."""

    def zeros(count: int, width: int) -> tuple[Array, ...]:
        return tuple(jnp.zeros((units, width)) for _ in range(count))

    return {"hidden": zeros(3, units), "input": zeros(3, features), "bias": zeros(4, batch)}


def _accumulate(sums: dict, seen: list[tuple[Array, ...]]) -> dict:
    """Add the outer products of a few steps by one matrix product per gate."""
    d_r, d_z, d_n, d_hidden_n, state, x = (
        jnp.concatenate(parts, 1) for parts in zip(*seen, strict=True)
    )

    def add(total: tuple, gates: tuple, against: Array) -> tuple:
        product = [jnp.dot(g, against.T, preferred_element_type=jnp.float32) for g in gates]
        return tuple(a + b for a, b in zip(total, product, strict=True))

    per_gate = zip(*(step[:4] for step in seen), strict=True)
    bias = tuple(sum(g.astype(jnp.float32) for g in steps) for steps in per_gate)
    return {
        "hidden": add(sums["hidden"], (d_r, d_z, d_hidden_n), state),
        "input": add(sums["input"], (d_r, d_z, d_n), x),
        "bias": tuple(a + b for a, b in zip(sums["bias"], bias, strict=True)),
    }


def _weights_from(sums: dict) -> Weights:
    """Name the summed gradients; r and z share theirs between the two biases, n does not."""
    d_r, d_z, d_n, d_hidden_n = (b.sum(1) for b in sums["bias"])
    return Weights(
        input=jnp.stack(sums["input"]),
        hidden=jnp.stack(sums["hidden"]),
        input_bias=jnp.stack([d_r, d_z, d_n]),
        hidden_bias=jnp.stack([d_r, d_z, d_hidden_n]),
    )
