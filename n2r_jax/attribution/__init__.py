"""Attributions: how much each vector of an input adds to a number that a model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from jaxtyping import Array, Float

from n2r_jax.attribution.base import AAGrad, Target, Vectors, convergence_delta
from n2r_jax.attribution.deep_lift import deep_lift
from n2r_jax.attribution.gradient_shap import gradient_shap
from n2r_jax.attribution.gradients import gradient, input_x_gradient
from n2r_jax.attribution.integrated import gauss_legendre, integrated_gradients
from n2r_jax.choices import one_of

Pooling = Literal["sum", "none"]

ATTRIBUTIONS: Mapping[str, Callable[..., Vectors]] = {
    "gradient": gradient,
    "input_x_gradient": input_x_gradient,
    "integrated_gradients": integrated_gradients,
    "deep_lift": deep_lift,
    "gradient_shap": gradient_shap,
}
"""(target, vectors, baseline, *, aa_grad, settings of its own) -> attributions [b p e], float32."""


def attribute(
    name: str,
    target: Target,
    x: Vectors,
    baseline: Vectors,
    *,
    pooling: Pooling = "sum",
    **settings: Any,
) -> Float[Array, "b p"] | Vectors:
    """Attributions of the vectors [b p], signed sums over their dimensions, or unpooled [b p e].

    settings: those of the algorithm called `name`. Raises UserError for an unknown name.
    """
    one_of("attribution", name, ATTRIBUTIONS)
    one_of("pooling of attributions", pooling, get_args(Pooling))
    values = ATTRIBUTIONS[name](target, x, baseline, **settings)
    return values if pooling == "none" else values.sum(-1)


__all__ = [
    "ATTRIBUTIONS",
    "AAGrad",
    "Target",
    "Vectors",
    "attribute",
    "convergence_delta",
    "deep_lift",
    "gauss_legendre",
    "gradient",
    "gradient_shap",
    "input_x_gradient",
    "integrated_gradients",
]
