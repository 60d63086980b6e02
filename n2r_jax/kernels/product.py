"""The product of a linear layer, y = x W + c, with its gradients: on a CPU in float32 by BLAS.

dx = dy W'      dW = x' dy      dc = sum of dy's rows
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from n2r_jax.kernels import native

LEAST = 32
"""Rows, inputs and outputs of a product that is worth a call of BLAS."""


class Chosen(NamedTuple):
    """Which sides of a product are taken as their transposes."""

    left: bool = False
    right: bool = False


AS_THEY_ARE = Chosen()


@jax.custom_vjp
def product(
    x: Float[Array, "m i"], kernel: Float[Array, "i o"], bias: Float[Array, " o"] | None
) -> Float[Array, "m o"]:
    """The product x W + c; without a bias x W."""
    return _multiply(x, kernel, bias)


def _with_tape(x: Array, kernel: Array, bias: Array | None) -> tuple:
    return _multiply(x, kernel, bias), (x, kernel, bias is not None)


def _walk_back(tape: tuple[Array, Array, bool], d_y: Array) -> tuple:
    x, kernel, has_bias = tape
    d_x = _multiply(d_y, kernel, None, Chosen(right=True))
    d_kernel = _multiply(x, d_y, None, Chosen(left=True))
    return d_x, d_kernel, d_y.sum(0) if has_bias else None


product.defvjp(_with_tape, _walk_back)


def _multiply(
    left: Array, right: Array, bias: Array | None, chosen: Chosen = AS_THEY_ARE
) -> Float[Array, "m o"]:
    bias = jnp.zeros(0, left.dtype) if bias is None else bias
    # Not the compiled function itself: so derivatives of any order are those of the formula.
    multiply = _twice_by_blas if _suits(left, right) else _by_xla
    return multiply(left, right, bias, chosen)


def _suits(left: Array, right: Array) -> bool:
    """Whether BLAS multiplies these; decided when traced."""
    shapes = (*left.shape, *right.shape)
    return native.suits(left) and native.suits(right) and min(shapes) >= LEAST and native.has_blas()


def _by_xla(left: Array, right: Array, bias: Array, chosen: Chosen) -> Float[Array, "m o"]:
    """The same, with transposes in the places that XLA's CPU backend is fastest at.

    Of dW it wants few rows, so W' is made where it has fewer; a transposed right side is copied.
    """
    if jax.default_backend() != "cpu":
        y = (left.T if chosen.left else left) @ (right.T if chosen.right else right)
    elif chosen.left and left.shape[1] > right.shape[1]:
        y = _still(right.T @ left).T
    else:
        y = (left.T if chosen.left else left) @ (_still(right.T) if chosen.right else right)
    return y + bias[None] if bias.size else y


_still = jax.lax.optimization_barrier
"""Without it XLA takes the transposes back into the products."""


def _by_blas(left: Array, right: Array, bias: Array, chosen: Chosen) -> Float[Array, "m o"]:
    rows, columns = left.shape[chosen.left], right.shape[1 - chosen.right]
    call = native.function("n2r_product", [native.floats(rows, columns)])
    (y,) = call(
        left,
        right,
        bias,
        transposes_left=np.bool_(chosen.left),
        transposes_right=np.bool_(chosen.right),
        threads=np.int32(native.threads()),
    )
    return y


_twice_by_blas = native.derived_from(_by_xla, _by_blas)
