"""L2E: an extractor that learns to say what integrated gradients would (Situ et al. 2021).

    stage 1   the predictor, a plain classifier
    stage 2   the extractor, on the classes of its attributions (objectives/attribution_classes)

The targets of stage 2 are made in the step. Nothing in them is drawn and the predictor stays as it
is, so they are what a dump of its attributions would hold.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array

from n2r_jax import masks
from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.methods.base import Method, Metrics, Update
from n2r_jax.methods.unirex.attributed import (
    INTEGRATED,
    attribution_scores,
    explain_predicted,
    post_hoc,
)
from n2r_jax.methods.unirex.extractors import check_encoders
from n2r_jax.methods.updates import Settings
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.objectives.attribution_classes import (
    CLASSES,
    attribution_class_loss,
    attribution_class_sums,
    attribution_classes,
    class_scores,
)
from n2r_jax.objectives.rationale import Sums


def l2e(model: RationaleModel, settings: Settings) -> tuple[Method, Method]:
    """Both stages; UserError for a shared encoder, and for a model without units' classes."""
    check_encoders("l2e", model, shared=False)
    if model.unit_classes is None:
        raise UserError("config.method 'l2e' needs a model of text, whose units have classes")
    teacher = post_hoc("l2e", INTEGRATED)(model, settings)
    student = model.unit_classes(CLASSES)
    update = _update(student, settings)
    return teacher, Method(
        "l2e",
        student,
        (update,),
        _select(student, settings.objective.sparsity),
        predicts_from_all=True,
        keeps=("predictor",),
        judge=update,
        dropout=settings.compat.dropout,
    )


def _update(model: RationaleModel, settings: Settings) -> Update:
    score = attribution_scores(model, INTEGRATED, settings)
    explain = explain_predicted(model, score)

    def sums(params: Params, features: Features, batch: Batch, key: Array | None) -> Sums:
        logits = model.score(params, features, batch, key)
        # The units of all of a question's rows are classed together.
        scores, together = explain(params, batch), (-1, model.choices * batch.tokens.shape[1])
        classes = attribution_classes(scores.reshape(together), batch.valid.reshape(together))
        target = classes.reshape(scores.shape)
        return attribution_class_sums(logits, target, batch.valid, batch.weight)

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        total, units = attribution_class_loss(sums), sums["attribution_units"]
        return total, {"loss/extractor": (total * units, units)}

    return Update("extractor", ("extractor",), sums, loss)


def _select(
    model: RationaleModel, share: float
) -> Callable[[Params, Batch, Array | None], tuple[Array, Array]]:
    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        logits = model.score(params, model.encode(params, batch), batch, None)
        scores = class_scores(logits, batch.valid)
        (mask,) = masks.top_k_percent(scores, batch.valid, (100 * share,))
        return jax.nn.sigmoid(scores) * batch.valid, mask

    return select
