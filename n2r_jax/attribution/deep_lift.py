# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""DeepLIFT's rescale rule (Shrikumar et al. 2017) as a gradient with other slopes.

    attribution = (x - x') * m      m: dF/dx, where an elementwise function y = g(z) under the rule
                                    has the slope (g(z) - g(z')) / (z - z') in place of g'(z)

z' is z of the baseline's pass, so both passes run side by side under `vmap`, over an axis with a
name that the functions under the rule look across. A model lets its functions be replaced: it takes
a `Nonlinearity`. Everything else, attention's products too, keeps its gradient at x, as in captum.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.attribution.base import AAGrad, Target, Vectors, in_float32, slope_of
from n2r_jax.choices import one_of
from n2r_jax.models.encoders.interface import Elementwise

Rule = Literal["pooler", "full_rescale"]
"""Which functions are under it: the pooler's tanh alone, as in UNIREX's release, whose captum finds
no other; or each that the model names."""

SIDES = "deep_lift_sides"
INPUT, BASELINE = 0, 1

LEAST_CHANGE = 1e-10
"""Of |z - z'|: below it a function keeps its own slope (captum's number)."""


def deep_lift(
    target: Target,
    x: Vectors,
    baseline: Vectors,
    *,
    rule: Rule = "pooler",
    aa_grad: AAGrad = "first_order",
) -> Vectors:
    """Attributions that sum to F(x) - F(x') where F is linear but for functions under the rule.

    target: (vectors, nonlinearity) -> [b]. Costs two gradients. Raises UserError for another rule.
    """
    one_of("DeepLIFT's rule", rule, get_args(Rule))
    x, baseline = in_float32(x, baseline)

    def of_input(x: Vectors) -> Float[Array, " b"]:
        side = partial(target, nonlinearity=pooler_alone if rule == "pooler" else rescaled)
        return jax.vmap(side, axis_name=SIDES)(jnp.stack([x, baseline]))[INPUT]

    return (x - baseline) * slope_of(of_input, x, aa_grad)(x)


def rescaled(place: str, function: Elementwise) -> Elementwise:
    """A `Nonlinearity`: the function under the rule, wherever it is; for `deep_lift`'s targets."""
    del place

    def of_side(z: Float[Array, "..."]) -> Float[Array, "..."]:
        return _rescaled(function, z, jax.lax.all_gather(z, SIDES)[BASELINE])

    return of_side


def pooler_alone(place: str, function: Elementwise) -> Elementwise:
    """A `Nonlinearity`: the pooler's function under the rule, all others as they are."""
    return rescaled(place, function) if place == "pooler" else function


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _rescaled(
    function: Elementwise, z: Float[Array, "..."], reference: Float[Array, "..."]
) -> Float[Array, "..."]:
    del reference
    return function(z)


@_rescaled.defjvp
def _rescaled_jvp(
    function: Elementwise, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    z, reference = primals
    value, own = jax.jvp(function, (z,), (tangents[0],))
    change = z - reference
    small = abs(change) < LEAST_CHANGE
    slope = (value - function(reference)) / jnp.where(small, 1.0, change)
    return value, jnp.where(small, own, slope * tangents[0])
