"""L2E: an extractor that learns which of five classes a teacher's attribution falls into.

    class   0           1              2        3              4
    score   s < mean-   mean- <= s<0   s = 0    0 < s <= mean+   s > mean+

mean+ and mean- are the means of an input's positive and of its negative scores (Situ et al. 2021).
"""

from __future__ import annotations

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from n2r_jax.objectives.rationale import Sums

CLASSES = 5


def attribution_classes(
    scores: Float[Array, "b t"], valid: Float[Array, "b t"]
) -> Int[Array, "b t"]:
    """The class 0..4 of every unit of an input, 2 at its padding.

    Where an input has several texts (a choice among answers), their units stand in one row.
    """
    scores = jnp.where(valid > 0, scores, 0.0)
    positive, negative = scores > 0, scores < 0
    beyond = (scores > _mean(scores, positive)) | (scores < _mean(scores, negative))
    far = jnp.where(beyond, 2, 1)
    return 2 + jnp.where(positive, far, 0) - jnp.where(negative, far, 0)


def attribution_class_sums(
    logits: Float[Array, "b t 5"],
    target: Int[Array, "b t"],
    valid: Float[Array, "b t"],
    weight: Float[Array, " b"],
) -> Sums:
    """Sums of real units and of their cross-entropy (nats) with the teacher's class."""
    seen = valid * weight[:, None]
    logits = jnp.where((seen > 0)[..., None], logits, 0.0)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, target)
    return {
        "attribution_units": seen.sum(),
        "attribution_cross_entropy": (seen * cross_entropy).sum(),
    }


def attribution_class_loss(sums: Sums) -> Float[Array, ""]:
    """Mean over the real units of a batch, not over inputs; 0 of no unit."""
    return sums["attribution_cross_entropy"] / jnp.maximum(sums["attribution_units"], 1)


def class_scores(logits: Float[Array, "b t 5"], valid: Float[Array, "b t"]) -> Float[Array, "b t"]:
    """The score that a class stands for, -2..2, and 0 at padding; no gradient, many ties."""
    return (logits.argmax(-1) - CLASSES // 2).astype(logits.dtype) * valid


def _mean(scores: Float[Array, "b t"], where: Float[Array, "b t"]) -> Float[Array, "b 1"]:
    count = where.sum(1, keepdims=True)
    return jnp.where(where, scores, 0.0).sum(1, keepdims=True) / jnp.maximum(count, 1)
