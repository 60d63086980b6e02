"""FRESH: a predictor that reads nothing but another model's rationales (Jain et al. 2020).

    stage 1   a teacher: a classifier (FRESH), or a predictor with an extractor that learns from
              humans (FRESH+P, whose teacher is DLM-P)
    stage 2   a fresh predictor, on the top k % of the teacher's scores

The teacher's scores are integrated gradients of its predicted class, or its extractor's. They are
made in the step: nothing in them is drawn, so they are what a dump of them would hold.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Array, Float

from n2r_jax import masks
from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method
from n2r_jax.methods.classifier import task_update
from n2r_jax.methods.groups import method_of, with_copy
from n2r_jax.methods.unirex.attributed import (
    INTEGRATED,
    attribution_scores,
    explain_predicted,
    in_unit_interval,
    post_hoc,
)
from n2r_jax.methods.unirex.extractors import check_encoders, extractor_method
from n2r_jax.methods.updates import Settings
from n2r_jax.models.interface import Params, RationaleModel

TEACHER = "teacher"
ExplainFn = Callable[[Params, Batch], Float[Array, "b t"]]


def fresh(model: RationaleModel, settings: Settings) -> tuple[Method, Method]:
    """The teacher is a classifier, explained by its integrated gradients."""
    check_encoders("fresh", model, shared=False)
    teacher = method_of(post_hoc("fresh", INTEGRATED)(model, settings), predictor=TEACHER)
    score = attribution_scores(teacher.model, INTEGRATED, settings)
    explain = explain_predicted(teacher.model, score)
    student = with_copy(model, TEACHER, of="predictor")
    return teacher, _student("fresh", student, settings, explain, (TEACHER,), binary=True)


def fresh_p(model: RationaleModel, settings: Settings) -> tuple[Method, Method]:
    """The teacher's extractor learns from humans; only this extractor is kept of it."""
    teacher = extractor_method("fresh_p", "p", shared=False)(model, settings)

    def explain(params: Params, batch: Batch) -> Float[Array, "b t"]:
        return model.score(params, model.encode(params, batch), batch, None)

    student = _student("fresh_p", model, settings, explain, ("extractor",), binary=False)
    return method_of(teacher, predictor=TEACHER), student


def _student(
    name: str,
    model: RationaleModel,
    settings: Settings,
    explain: ExplainFn,
    keeps: tuple[str, ...],
    *,
    binary: bool,
) -> Method:
    """Stage 2. binary: the authors rank a text's units by the rationale, not by the scores."""
    compat = settings.compat
    if compat.fresh_plaus != "authors":
        binary = compat.fresh_plaus == "binary"

    def top_share(scores: Float[Array, "b t"], batch: Batch) -> Float[Array, "b t"]:
        k = (settings.unirex.fresh_k,)
        (mask,) = masks.top_k_percent(scores, batch.valid, k, rounding="floor")
        return mask

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        scores = explain(params, batch)
        mask = top_share(scores, batch)
        return mask if binary else in_unit_interval(scores, batch.valid), mask

    update = task_update(
        model, settings.objective, lambda params, features, batch: select(params, batch, None)[1]
    )
    against_nothing = compat.spp_faithfulness == "empty"
    return Method(
        name,
        model,
        (update,),
        select,
        keeps=keeps,
        dropout=compat.dropout,
        faithful_to="rationale" if against_nothing else "text",
    )
