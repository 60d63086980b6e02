"""UNIREX's extractors without parameters of their own: attributions of the task's predictor (AA).

Scores are attributions of one class's logit to the units of the whole text: of the gold class in
training, of the predicted one at evaluation. Post hoc they explain a plain classifier; in training
(AA-F, AA-FP, SGT) rationales made of them enter the loss. To first order an attribution's gradient
is a constant, so that plausibility reaches the word vectors alone, as in the release; the paper's
text suggests second order, which trains all of the predictor through it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float, Int

from n2r_jax import masks
from n2r_jax.attribution.of_model import unit_attributions
from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Update
from n2r_jax.methods.classifier import classifier
from n2r_jax.methods.unirex.extractors import loss_of_terms, rationale_terms
from n2r_jax.methods.updates import Settings
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.objectives.rationale import Sums
from n2r_jax.objectives.unirex import UnirexObjective

INTEGRATED = "integrated_gradients"
ScoreFn = Callable[[Params, Batch, Int[Array, " b"]], Float[Array, "b t"]]
"""(params, batch, class of each text) -> scores of its units."""


def post_hoc(name: str, algorithm: str) -> Callable[[RationaleModel, Settings], Method]:
    """A plain classifier, explained by an attribution algorithm when it is evaluated."""

    def build(model: RationaleModel, settings: Settings) -> Method:
        (update,) = classifier(model, settings.objective).updates
        score = attribution_scores(model, algorithm, settings.unirex)
        select = _select(model, settings, score)
        return Method(name, model, (update,), select, predicts_from_all=True)

    return build


def in_training(
    name: str, terms: str, *, self_guided: bool = False
) -> Callable[[RationaleModel, Settings], Method]:
    """A predictor that learns with rationales made of its own integrated gradients.

    terms: 'f' faithfulness, 'p' plausibility. self_guided (SGT): of faithfulness sufficiency
    alone, as a divergence of the predictions (Ismail et al. 2021, by UNIREX's release).
    """

    def build(model: RationaleModel, settings: Settings) -> Method:
        unirex = settings.unirex.only(terms)
        if self_guided:
            kl = dataclasses.replace(unirex.faithfulness, sufficiency="kl")
            unirex = dataclasses.replace(unirex, faithfulness=kl, weight_comprehensiveness=0.0)
        score = attribution_scores(model, INTEGRATED, unirex)
        update = _update(model, unirex, score, settings.objective.lambda_cross_entropy)
        select, gold = _select(model, settings, score), unirex.weight_plausibility > 0
        return Method(name, model, (update,), select, predicts_from_all=True, needs_gold=gold)

    return build


def attribution_scores(model: RationaleModel, algorithm: str, unirex: UnirexObjective) -> ScoreFn:
    """Attributions of the whole text's units to the logit of a class, by predictor alone."""
    own: dict[str, Any] = {"steps": unirex.steps} if algorithm == INTEGRATED else {}

    def score(params: Params, batch: Batch, chosen: Int[Array, " b"]) -> Float[Array, "b t"]:
        return unit_attributions(
            algorithm, model, params, batch, batch.valid, chosen, aa_grad=unirex.aa_grad, **own
        )

    return score


def _update(
    model: RationaleModel, unirex: UnirexObjective, score: ScoreFn, weight_task: float
) -> Update:
    def sums(params: Params, features: Features, batch: Batch, key: Array) -> Sums:
        scores = score(params, batch, batch.label)
        return rationale_terms(model, unirex, params, batch, scores, key)

    return Update(
        "predictor", ("predictor", *model.shared), sums, loss_of_terms(unirex, weight_task)
    )


def _select(
    model: RationaleModel, settings: Settings, score: ScoreFn
) -> Callable[[Params, Batch, Array | None], tuple[Array, Array]]:
    """The top share of each text by attribution of the class that is predicted from all of it."""

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        whole = model.predict(params, batch, batch.valid, None).logits
        scores = score(params, batch, whole.argmax(-1))
        (mask,) = masks.top_k_percent(scores, batch.valid, (100 * settings.objective.sparsity,))
        return jax.nn.sigmoid(scores) * batch.valid, mask

    return select
