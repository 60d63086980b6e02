# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""LayerNorm of a sum, the seam between two parts of a transformer layer, as one pass over it.

    z = x + drop(added)      xhat = (z - mean z) / sqrt(var z + eps)      out = scale xhat + offset
    dz = root (g - mean g - xhat mean(g xhat))      g = scale dout      root = 1 / sqrt(var z + eps)

XLA's CPU backend reads and writes z nine times forward and ten times backward. The compiled
function does each row once, in the core's cache, and makes z again in the backward pass.
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

PARTS = 64
"""Rows are summed up in so many parts, whatever the number of threads."""


class Arguments(NamedTuple):
    """What is normed, and by what."""

    x: Float[Array, "b p h"]
    added: Float[Array, "b p h"] | Float[Array, "0"]
    """Empty where there is nothing to add."""
    scale: Float[Array, " h"]
    offset: Float[Array, " h"]
    seed: UInt32[Array, "2"]
    row: Int[Array, " b"]


class Chosen(NamedTuple):
    """What a call is compiled for."""

    epsilon: float
    rate: float


Tape = tuple[Float[Array, "b p h"], Float[Array, "b p"], Float[Array, "b p"]]
"""out, mean, root."""


def add_norm(
    x: Float[Array, "b p h"],
    added: Float[Array, "b p h"] | None,
    scale: Float[Array, " h"],
    offset: Float[Array, " h"],
    epsilon: float,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    rate: float,
) -> Float[Array, "b p h"]:
    """LayerNorm(x + dropout(added)) as in the formula above; without a key nothing is dropped."""
    chosen = Chosen(epsilon, 0.0 if key is None or added is None else rate)
    seed = jnp.zeros(2, jnp.uint32) if key is None else jax.random.bits(key, (2,), jnp.uint32)
    added = jnp.zeros(0, x.dtype) if added is None else added
    arguments = Arguments(x, added, scale, offset, seed, row)
    if native.suits(x) and native.suits(added) and x.ndim == 3:
        return _add_norm(arguments, chosen)
    return _forward(arguments, chosen)[0]


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _add_norm(arguments: Arguments, chosen: Chosen) -> Float[Array, "b p h"]:
    return _native_forward(arguments, chosen)[0]


def _with_tape(arguments: Arguments, chosen: Chosen) -> tuple:
    # Not the compiled function itself: so derivatives of any order are those of the formula.
    out, mean, root = _twice_native_forward(arguments, chosen)
    return out, (arguments, mean, root)


def _walk_back(chosen: Chosen, residuals: tuple, d_out: Array) -> tuple:
    arguments, mean, root = residuals
    d_x, d_added, *of_norm = _twice_native_backward(arguments, mean, root, d_out, chosen)
    nothing: Any = None
    return (Arguments(d_x, d_added, *of_norm, seed=nothing, row=nothing),)


_add_norm.defvjp(_with_tape, _walk_back)


def _sum(arguments: Arguments, chosen: Chosen) -> Float[Array, "b p h"]:
    """The sum x + drop(added), in float32."""
    x, added, _, _, seed, row = arguments
    x = x.astype(jnp.float32)
    if added.ndim == 1:
        return x
    added = added.astype(jnp.float32)
    return x + (_kept(added, seed, row, chosen) if chosen.rate else added)


def _kept(x: Array, seed: Array, row: Array, chosen: Chosen) -> Float[Array, "b p h"]:
    start = jnp.zeros((), jnp.int32)
    return x * keep_factor(seed, row, start, x.shape, chosen.rate, "btf")


def _forward(arguments: Arguments, chosen: Chosen) -> Tape:
    """By XLA."""
    z = _sum(arguments, chosen)
    along_last = [1] * (z.ndim - 1) + [-1]
    mean = z.mean(-1, keepdims=True)
    centred = z - mean
    root = lax.rsqrt((centred * centred).mean(-1, keepdims=True) + chosen.epsilon)
    out = centred * root * arguments.scale.reshape(along_last)
    return out + arguments.offset.reshape(along_last), mean[..., 0], root[..., 0]


def _backward(
    arguments: Arguments, mean: Array, root: Array, d_out: Array, chosen: Chosen
) -> tuple[Array, Array, Array, Array]:
    """Gradients of x, added, scale and offset, by XLA."""
    normed = (_sum(arguments, chosen) - mean[..., None]) * root[..., None]
    pull = d_out * arguments.scale[None, None]
    slope = (pull * normed).mean(-1, keepdims=True)
    d_sum = root[..., None] * (pull - pull.mean(-1, keepdims=True) - normed * slope)
    d_added = jnp.zeros_like(arguments.added)
    if d_added.ndim == 3:
        d_added = d_sum
        if chosen.rate:
            d_added = _kept(d_sum, arguments.seed, arguments.row, chosen)
    return d_sum, d_added, (d_out * normed).sum((0, 1)), d_out.sum((0, 1))


def _native_forward(arguments: Arguments, chosen: Chosen) -> Tape:
    """The same by the compiled function."""
    of_rows = floats(*arguments.x.shape[:2])
    call = native.function("n2r_layer_norm_forward", [floats(*arguments.x.shape), of_rows, of_rows])
    return tuple(call(*_in(arguments), **_by(chosen)))


def _native_backward(
    arguments: Arguments, mean: Array, root: Array, d_out: Array, chosen: Chosen
) -> tuple[Array, Array, Array, Array]:
    """The same by the compiled function."""
    of_parts = floats(PARTS, arguments.x.shape[2])
    results = [floats(*a.shape) for a in (arguments.x, arguments.added)]
    call = native.function("n2r_layer_norm_backward", [*results, of_parts, of_parts])
    d_x, d_added, d_scale, d_offset = call(*_in(arguments), mean, root, d_out, **_by(chosen))
    return d_x, d_added, d_scale.sum(0), d_offset.sum(0)


def _in(arguments: Arguments) -> Arguments:
    return arguments._replace(row=arguments.row.astype(jnp.int32))


def _by(chosen: Chosen) -> dict[str, Any]:
    return {
        "rate": np.float32(chosen.rate),
        "threshold": np.uint32(threshold(chosen.rate)),
        "epsilon": np.float32(chosen.epsilon),
        "parts": np.int32(PARTS),
        "threads": np.int32(native.threads()),
    }


_twice_native_forward = native.derived_from(_forward, _native_forward)
_twice_native_backward = native.derived_from(_backward, _native_backward)
