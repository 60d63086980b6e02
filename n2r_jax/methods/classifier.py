"""The predictor on the full input: what accuracy a rationale can at best keep."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Metrics, Update
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.objectives.rationale import Objective, Sums, task_sums


def classifier(model: RationaleModel, objective: Objective) -> Method:
    """Every unit is selected; one update trains the predictor on lambda_ce * cross-entropy."""

    def sums(params: Params, features: Features, batch: Batch, key: Array) -> Sums:
        prediction = model.predict(params, batch, batch.valid, key)
        return task_sums(prediction.logits, batch.label, batch.weight)

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        total = objective.lambda_cross_entropy * sums["cross_entropy"] / sums["inputs"]
        return total, {
            "cross_entropy": (sums["cross_entropy"], sums["inputs"]),
            "accuracy": (sums["correct"], sums["inputs"]),
            "loss/predictor": (total * sums["inputs"], sums["inputs"]),
        }

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        return jnp.ones_like(batch.valid) * batch.valid, batch.valid

    update = Update("predictor", ("predictor", *model.shared), sums, loss)
    return Method("classifier", model, (update,), select)
