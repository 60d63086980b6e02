"""Attributions from one gradient, taken at the input itself."""

from __future__ import annotations

from n2r_jax.attribution.base import AAGrad, Target, Vectors, in_float32, slope_of


def gradient(
    target: Target, x: Vectors, baseline: Vectors | None = None, *, aa_grad: AAGrad = "first_order"
) -> Vectors:
    """|dF/dx|, whose sum over dimensions is the L1 norm (saliency, Simonyan et al. 2013).

    It has no factor beside the slope, so in first order it is a constant.
    """
    del baseline
    (x,) = in_float32(x)
    return abs(slope_of(target, x, aa_grad)(x))


def input_x_gradient(
    target: Target, x: Vectors, baseline: Vectors | None = None, *, aa_grad: AAGrad = "first_order"
) -> Vectors:
    """Input times gradient, x * dF/dx (Shrikumar et al. 2016).

    There is no baseline in it, so special pieces have attributions too.
    """
    del baseline
    (x,) = in_float32(x)
    return x * slope_of(target, x, aa_grad)(x)
