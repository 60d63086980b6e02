"""The attention of `attention.py` by the compiled functions: the same two, for float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Float

from n2r_jax.kernels import native
from n2r_jax.kernels.dropout import threshold
from n2r_jax.kernels.native import floats

if TYPE_CHECKING:
    from n2r_jax.kernels.attention import Arguments, Chosen, Heads

Result = tuple[Float[Array, "b q n d"], Float[Array, "b n q 1"], Float[Array, "b n q 1"]]


def forward(arguments: Arguments, chosen: Chosen) -> Result:
    """(out, highest, total) of `attention.Tape`."""
    batch, pieces, heads, depth = arguments.queries.shape
    of_queries = floats(batch, heads, pieces, 1)
    results = [floats(batch, pieces, heads, depth), of_queries, of_queries]
    return native.function("n2r_attention_forward", results)(*_in(arguments), **_by(chosen))


def backward(
    arguments: Arguments, tape: Result, d_out: Heads, chosen: Chosen
) -> tuple[Heads, Heads, Heads, Float[Array, "b p"]]:
    """Gradients of queries, keys, values and weight."""
    batch, pieces, heads, _ = arguments.keys.shape
    shapes = [a.shape for a in (arguments.queries, arguments.keys, arguments.values)]
    results = [*(floats(*shape) for shape in shapes), floats(batch, heads, pieces)]
    call = native.function("n2r_attention_backward", results)
    *gradients, d_weight = call(*_in(arguments), *tape, d_out, **_by(chosen))
    return (*gradients, d_weight.sum(1))


def _in(arguments: Arguments) -> tuple[Array, ...]:
    return arguments._replace(row=arguments.row.astype(np.int32))


def _by(chosen: Chosen) -> dict[str, Any]:
    """What a call is told besides arrays."""
    return {
        "rate": np.float32(chosen.rate),
        "threshold": np.uint32(threshold(chosen.rate)),
        "window": np.int32(-1 if chosen.window is None else chosen.window),
        "threads": np.int32(native.threads()),
    }
