"""Gradient SHAP (Lundberg and Lee 2017), as captum defines it.

attribution = mean_s (x_s - x'_s) * dF/dx at x'_s + a_s (x_s - x'_s)

x_s = x + noise      x'_s one of the baselines      a_s from U(0, 1)      drawn by row and sample
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.attribution.base import (
    AAGrad,
    Target,
    Vectors,
    at_least_1,
    in_float32,
    slope_of,
    weighted_sum,
)
from n2r_jax.choices import at_least_0


class Draw(NamedTuple):
    """One sample of every row."""

    x: Vectors
    baseline: Vectors
    share: Float[Array, "b 1 1"]
    """How far from the baseline to x the gradient is taken."""


def gradient_shap(
    target: Target,
    x: Vectors,
    baseline: Vectors | Float[Array, "d b p e"],
    *,
    key: Key[Array, ""],
    row: Int[Array, " b"] | None = None,
    samples: int = 5,
    deviation: float = 0.0,
    chunk: int = 8,
    aa_grad: AAGrad = "first_order",
) -> Vectors:
    """Attributions in expectation over `samples` draws, `chunk` of them in memory at once.

    baseline: one, or a leading axis of d that are drawn from alike. row: a text's place in the
    global batch, which its draws go by, so that they are the same on any number of devices.
    deviation: standard deviation of the noise on x. Raises UserError for samples < 1.
    """
    at_least_1("samples", samples)
    at_least_0("deviation", deviation)
    x, baseline = in_float32(x, baseline)
    row = jnp.arange(x.shape[0]) if row is None else row
    slope = slope_of(target, x, aa_grad)

    def of_sample(number: Int[Array, ""]) -> Vectors:
        drawn = _draw(jax.random.fold_in(key, number), row, x, baseline, deviation)
        change = drawn.x - drawn.baseline
        return change * slope(drawn.baseline + drawn.share * change)

    weights = jnp.full(samples, 1 / samples)
    again = aa_grad == "second_order"
    return weighted_sum(of_sample, jnp.arange(samples), weights, chunk=chunk, checkpoint=again)


def _draw(
    key: Key[Array, ""], row: Int[Array, " b"], x: Vectors, baseline: Array, deviation: float
) -> Draw:
    """A sample of every row, by its own key; values do not depend on the padded length."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, row)
    for_noise, for_share, for_choice = jax.vmap(lambda k: jax.random.split(k, 3))(keys).T
    share = jax.vmap(jax.random.uniform)(for_share)[:, None, None]
    if deviation > 0:
        noise = jax.vmap(lambda k: jax.random.normal(k, x.shape[1:]))(for_noise)
        x = x + deviation * noise
    if baseline.ndim > x.ndim:
        choice = jax.vmap(lambda k: jax.random.randint(k, (), 0, baseline.shape[0]))(for_choice)
        baseline = jnp.take_along_axis(baseline, choice[None, :, None, None], axis=0)[0]
    return Draw(x, baseline, share)
