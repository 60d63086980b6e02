"""The predictor on the full input: what accuracy a rationale can at best keep."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Metrics, Update
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.objectives.rationale import Objective, Sums, task_sums

ShownFn = Callable[[Params, Features, Batch], Float[Array, "b t"]]
"""(params, features, batch) -> mask of what the predictor is shown, a constant."""


def classifier(model: RationaleModel, objective: Objective) -> Method:
    """Every unit is selected; one update trains the predictor on lambda_ce * cross-entropy."""

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        return jnp.ones_like(batch.valid) * batch.valid, batch.valid

    update = task_update(model, objective, lambda params, features, batch: batch.valid)
    return Method("classifier", model, (update,), select)


def task_update(model: RationaleModel, objective: Objective, shown: ShownFn) -> Update:
    """The predictor alone on lambda_ce * cross-entropy, from what it is shown."""

    def sums(params: Params, features: Features, batch: Batch, key: Array | None) -> Sums:
        prediction = model.predict(params, batch, shown(params, features, batch), key)
        return task_sums(prediction.logits, batch.label, batch.weight)

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        total = objective.lambda_cross_entropy * sums["cross_entropy"] / sums["inputs"]
        return total, {
            "cross_entropy": (sums["cross_entropy"], sums["inputs"]),
            "accuracy": (sums["correct"], sums["inputs"]),
            "loss/predictor": (total * sums["inputs"], sums["inputs"]),
        }

    return Update("predictor", ("predictor", *model.shared), sums, loss)
