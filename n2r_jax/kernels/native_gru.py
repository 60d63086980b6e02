"""The recurrence of `gru.py` on CPU as compiled C++: the same functions, for float32.

XLA's CPU backend makes every step of a recurrence of a dozen small calls and writes its tape in
buffers that it fills and copies first. `native/` keeps the sums of both matrix products and all
gates of a step in registers. It is compiled where it runs, by the C++ compiler found there, once
for each kind of processor; without a compiler the recurrence of `gru.py` is used, with the same
results.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.kernels import build
from n2r_jax.kernels.gru import Cotangent, Gradients, Peak, Wanted, Weights


class Tape(NamedTuple):
    """What the walk back needs of every step; None where nobody asked for it."""

    states: Float[Array, "t h b"]
    gates: Float[Array, "tiles t h 4 columns"] | None = None
    """Reset, update, candidate and the hidden part of the candidate, tile of texts by tile."""


def available() -> bool:
    """Whether this process has the compiled functions; the first call says why not."""
    return texts_per_tile() is not None


@functools.cache
def texts_per_tile() -> int | None:
    """Load and register the compiled functions; how many texts they take side by side."""
    library = build.shared_library("gru.cc")
    if library is None:
        return None
    for name in ("n2r_gru_forward", "n2r_gru_backward"):
        capsule = jax.ffi.pycapsule(getattr(library, name))
        jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    return library.n2r_gru_columns()


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
    columns = texts_per_tile() or 1
    shapes = (
        (steps if tape else 0, units, batch),
        (-(-batch // columns) if everything else 0, steps, units, 4, columns),
        (units if pool is not None else 0, batch),
    )
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    call = _call("n2r_gru_forward", [*results, jax.ShapeDtypeStruct(shapes[2], jnp.int32)])
    arrays = (inputs, _or_empty(mask), _or_empty(valid), _or_empty(pool), *weights)
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
    nothing = _or_empty(None)
    if isinstance(cotangent, Peak):
        each, peak = nothing, cotangent
    else:
        each, peak = cotangent, Peak(nothing, nothing.astype(jnp.int32))

    def result(array: Any, asked: bool) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(array.shape if asked else (0,), jnp.float32)

    results = [result(w, wanted.weights) for w in weights]
    of_mask = jax.ShapeDtypeStruct((inputs.shape[0], inputs.shape[2]), jnp.float32)
    results += [result(of_mask, wanted.mask), result(inputs, wanted.inputs)]
    found = _call("n2r_gru_backward", results)(
        inputs,
        _or_empty(mask),
        _or_empty(valid),
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


def _or_empty(array: Array | None) -> Array:
    return jnp.zeros((0,), jnp.float32) if array is None else array


def _call(name: str, results: list[jax.ShapeDtypeStruct]) -> Any:
    """A compiled function; under vmap it runs once for each member."""
    return jax.ffi.ffi_call(name, results, vmap_method="sequential")
