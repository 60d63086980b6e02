"""The task's cross-entropy with weights by class."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.errors import UserError
from n2r_jax.objectives.rationale import Sums, task_sums


def class_weighted_task_sums(
    logits: Float[Array, "b c"],
    label: Int[Array, " b"],
    weight: Float[Array, " b"],
    class_weights: Sequence[float],
) -> Sums:
    """`task_sums` whose cross-entropy counts an input by its label's weight.

    Inputs and correct predictions count as 1, so that the loss is the plain mean over inputs
    (UNIREX's release; PyTorch's own divides by `class_weights`, the sum of the weights met).
    Raises UserError unless there is one weight above 0 for each class.
    """
    if len(class_weights) != logits.shape[-1] or not all(w > 0 for w in class_weights):
        raise UserError(
            f"class weights are {tuple(class_weights)}; give {logits.shape[-1]} numbers above 0"
        )
    by_label = jnp.asarray(class_weights, logits.dtype)[label]
    weighted = task_sums(logits, label, weight * by_label)
    return task_sums(logits, label, weight) | {
        "cross_entropy": weighted["cross_entropy"],
        "class_weights": weighted["inputs"],
    }
