# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""What all attribution algorithms are made of: gradients of a target by the vectors of its input.

A target is any function of vectors [B, P, E] to one number a row, such as the logit of a class, in
which a row's number depends on that row alone. The baseline x' is the input that says nothing.

Of an attribution (x - x') * slope the first factor alone is differentiable in first order, as in
UNIREX's release, where captum leaves no graph behind; in second order the slope is, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun
from jaxtyping import Array, Float

from n2r_jax.choices import one_of
from n2r_jax.errors import UserError

Vectors = Float[Array, "b p e"]
Target = Callable[..., Float[Array, " b"]]
"""(vectors [b p e]) -> [b]; for DeepLIFT it also takes a `Nonlinearity`."""
AAGrad = Literal["first_order", "second_order"]


def slope_of(target: Target, like: Vectors, aa_grad: AAGrad) -> Callable[[Vectors], Vectors]:
    """(vectors) -> the gradient of every row's target by the row's own vectors, float32.

    like: vectors of the shape that the gradient will be taken at. In first order it is a constant:
    nothing that the target was made of gets a gradient, and none is prepared for.
    Raises UserError for another `aa_grad`.
    """
    one_of("aa_grad", aa_grad, get_args(AAGrad))
    if aa_grad == "second_order":
        return jax.grad(lambda at: target(at).astype(jnp.float32).sum())
    # Stopping the result alone would not do: JAX would still differentiate the gradient on its way
    # there, which compiled kernels refuse. So what the target holds on to is made constant, too.
    traced: Any = jax.make_jaxpr(target)(like)
    traced = traced.replace(consts=jax.lax.stop_gradient(list(traced.consts)))
    run = jaxpr_as_fun(traced)
    slope = jax.grad(lambda at: run(at)[0].astype(jnp.float32).sum())
    return lambda at: jax.lax.stop_gradient(slope(jax.lax.stop_gradient(at)))


def in_float32(*arrays: Float[Array, "..."]) -> tuple[Array, ...]:
    """The arrays in float32: gradients of logits underflow in float16 (UNIREX's release)."""
    return tuple(array.astype(jnp.float32) for array in arrays)


def weighted_sum(
    values: Callable[[Any], Vectors],
    points: Any,
    weights: Float[Array, " n"],
    *,
    chunk: int,
    checkpoint: bool,
) -> Vectors:
    """sum_i w_i values(point_i), `chunk` points at once: memory grows with the chunk, not with n.

    No point is computed twice or in vain. checkpoint: a chunk is computed again in a backward pass
    through the sum rather than kept. Raises UserError for a chunk below 1.
    """
    count = len(weights)
    at_least_1("chunk", chunk)

    def part(points: Any, weights: Array) -> Array:
        found = jax.vmap(values)(points)
        return (weights.reshape(-1, *[1] * (found.ndim - 1)) * found).sum(0)

    if count <= chunk:
        return part(points, weights)
    part = jax.checkpoint(part) if checkpoint else part
    whole = count - count % chunk
    chunks = jax.tree.map(lambda a: a[:whole].reshape(-1, chunk, *a.shape[1:]), (points, weights))
    like = jax.eval_shape(part, *jax.tree.map(lambda a: a[0], chunks))

    def step(total: Array, one: tuple) -> tuple[Array, None]:
        return total + part(*one), None

    total, _ = jax.lax.scan(step, jnp.zeros(like.shape, like.dtype), chunks)
    if whole == count:
        return total
    return total + part(*jax.tree.map(lambda a: a[whole:], (points, weights)))


def convergence_delta(
    target: Target, attributions: Vectors, x: Vectors, baseline: Vectors
) -> Float[Array, " b"]:
    """Sum of a row's attributions - (F(x) - F(x')): 0 where they are complete.

    Of integrated gradients, DeepLIFT and gradient SHAP (captum's sign; UNIREX reports the mean of
    its absolute values). Costs two forward passes, so nobody pays for it who does not ask.
    """
    change = target(x).astype(jnp.float32) - target(baseline).astype(jnp.float32)
    return attributions.sum((1, 2)) - change


def at_least_1(setting: str, value: int) -> None:
    """Raise UserError unless `value` is a whole number of at least 1."""
    if int(value) != value or value < 1:
        raise UserError(f"{setting} is {value!r}; it must be a whole number of at least 1")
