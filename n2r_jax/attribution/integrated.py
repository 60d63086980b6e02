"""Integrated gradients by Gauss-Legendre quadrature (Sundararajan et al. 2017; UNIREX section 5).

attribution = (x - x') * sum_i w_i dF/dx at x' + a_i (x - x')
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from n2r_jax.attribution.base import (
    AAGrad,
    Target,
    Vectors,
    at_least_1,
    in_float32,
    slope_of,
    weighted_sum,
)


def gauss_legendre(steps: int) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Nodes in (0, 1) and weights of sum 1; exact for polynomials of degree <= 2 steps - 1.

    Raises UserError for fewer than one step.
    """
    at_least_1("steps", steps)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return ((nodes + 1) / 2).astype(np.float32), (weights / 2).astype(np.float32)


def integrated_gradients(
    target: Target,
    x: Vectors,
    baseline: Vectors,
    *,
    steps: int = 3,
    chunk: int = 8,
    aa_grad: AAGrad = "first_order",
) -> Vectors:
    """Attributions that sum to F(x) - F(x') as nearly as `steps` nodes can; `convergence_delta`.

    Costs `steps` gradients, of which `chunk` are in memory at once. Exactly complete where F is a
    polynomial of degree <= 2 steps along the path. Raises UserError for fewer than one step.
    """
    x, baseline = in_float32(x, baseline)
    change = x - baseline
    slope = slope_of(target, x, aa_grad)

    def at(node: Float[Array, ""]) -> Vectors:
        return slope(baseline + node * change)

    nodes, weights = (jnp.asarray(a) for a in gauss_legendre(steps))
    again = aa_grad == "second_order"
    return change * weighted_sum(at, nodes, weights, chunk=chunk, checkpoint=again)
