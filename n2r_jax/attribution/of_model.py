"""Attributions of what a rationale model's predictor makes of a batch."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.attribution import Pooling, attribute
from n2r_jax.attribution.base import AAGrad, Target, Vectors
from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.models.encoders.interface import Nonlinearity, unchanged
from n2r_jax.models.interface import FromVectors, Params, RationaleModel


def from_vectors(model: RationaleModel) -> FromVectors:
    """The model as a function of vectors; UserError if there are none."""
    if model.from_vectors is None:
        raise UserError("this model reads nothing that has vectors; take a model of text")
    return model.from_vectors


def class_logit(
    model: RationaleModel,
    params: Params,
    batch: Batch,
    mask: Float[Array, "b t"],
    chosen: Int[Array, " b"],
    aa_grad: AAGrad = "first_order",
) -> Target:
    """(vectors) -> the logit of each row's class `chosen`, seen through `mask`, without dropout.

    Of the logit, not the probability that UNIREX's paper writes: so does its release. A row of a
    question has one logit, its own answer's, whatever is chosen (UNIREX section 5).
    aa_grad: of the attributions that will be made of it. Raises UserError as `from_vectors`.
    """
    source, twice = from_vectors(model), aa_grad == "second_order"
    chosen = chosen if model.choices == 1 else jnp.zeros_like(chosen)

    def target(vectors: Vectors, nonlinearity: Nonlinearity = unchanged) -> Float[Array, " b"]:
        how: Any = {"nonlinearity": nonlinearity, "twice": twice}
        logits = source.predict(params, batch, vectors, mask, None, **how).logits
        return jnp.take_along_axis(logits, chosen[:, None], axis=1)[:, 0]

    return target


def unit_attributions(
    name: str,
    model: RationaleModel,
    params: Params,
    batch: Batch,
    mask: Float[Array, "b t"],
    chosen: Int[Array, " b"],
    *,
    aa_grad: AAGrad = "first_order",
    pooling: Pooling = "sum",
    **settings: Any,
) -> Float[Array, "b t"] | Float[Array, "b t e"]:
    """Attributions of units by the algorithm called `name`: of their vectors, added up.

    Sums over the dimensions too, or unpooled, one number a dimension.

    Differentiable by params as `aa_grad` says. settings: the algorithm's own; see `ATTRIBUTIONS`.
    Raises UserError for a model without vectors, and as `attribute`.
    """
    source = from_vectors(model)
    target = class_logit(model, params, batch, mask, chosen, aa_grad)
    x, baseline = source.vectors(params, batch), source.baseline(params, batch)
    values = attribute(name, target, x, baseline, aa_grad=aa_grad, pooling=pooling, **settings)
    if pooling == "sum":
        return source.by_unit(batch, values)
    return jax.vmap(partial(source.by_unit, batch), in_axes=-1, out_axes=-1)(values)
