"""UNIREX's extractors without an encoder of their own: attributions of the task's predictor (AA).

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
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax import masks
from n2r_jax.attribution.of_model import from_vectors, unit_attributions
from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.methods.base import Method, Update
from n2r_jax.methods.classifier import classifier
from n2r_jax.methods.groups import InitFn, with_group
from n2r_jax.methods.unirex.extractors import loss_of_terms, rationale_terms
from n2r_jax.methods.updates import Settings
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.models.mlp import Mlp, mlp_shape
from n2r_jax.objectives.rationale import Sums
from n2r_jax.objectives.unirex import UnirexObjective

INTEGRATED = "integrated_gradients"
POOLER = "pooler"
"""The parameter group of the MLP that turns a unit's attributions into its score."""
ScoreFn = Callable[[Params, Batch, Int[Array, " b"]], Float[Array, "b t"]]
"""(params, batch, class of each text) -> scores of its units."""
MakeScores = Callable[[RationaleModel, Settings], ScoreFn]


def post_hoc(name: str, algorithm: str) -> Callable[[RationaleModel, Settings], Method]:
    """A plain classifier, explained by an attribution algorithm when it is evaluated."""

    def build(model: RationaleModel, settings: Settings) -> Method:
        (update,) = classifier(model, settings.objective).updates
        score = explain_predicted(model, attribution_scores(model, algorithm, settings))
        return Method(
            name,
            model,
            (update,),
            select_explained(score, settings.objective.sparsity),
            predicts_from_all=True,
            dropout=settings.compat.dropout,
        )

    return build


def in_training(
    name: str,
    terms: str,
    *,
    self_guided: bool = False,
    scores: MakeScores | None = None,
    needs_gold: bool = False,
) -> Callable[[RationaleModel, Settings], Method]:
    """A predictor that learns with rationales made of its own integrated gradients.

    terms: 'f' faithfulness, 'p' plausibility. self_guided (SGT): of faithfulness sufficiency
    alone, as a divergence of the predictions (Ismail et al. 2021, by UNIREX's release). scores:
    rationales are made of others; needs_gold: of such as humans gave.
    """

    def build(model: RationaleModel, settings: Settings) -> Method:
        unirex = settings.unirex.only(terms)
        if self_guided:
            kl = dataclasses.replace(unirex.faithfulness, sufficiency="kl")
            unirex = dataclasses.replace(unirex, faithfulness=kl, weight_comprehensiveness=0.0)
        if scores is not None:  # which may go by a text's ids: evaluation must leave them alone
            model = dataclasses.replace(model, prepare=None)
        model, trained = _with_pooler(model, unirex)
        score = (scores or _integrated_and_pooled)(model, settings)
        task = settings.objective.lambda_cross_entropy
        update = _update(model, unirex, score, ("predictor", *trained, *model.shared), task)
        return Method(
            name,
            model,
            (update,),
            select_explained(explain_predicted(model, score), settings.objective.sparsity),
            predicts_from_all=True,
            needs_gold=needs_gold or unirex.weight_plausibility > 0,
            dropout=settings.compat.dropout,
        )

    return build


def attribution_scores(
    model: RationaleModel, algorithm: str, settings: Settings, pooling: str = "sum"
) -> ScoreFn:
    """Attributions of the whole text's units to the logit of a class, by predictor alone.

    pooling: over dimensions, by a sum or by the MLP of the group 'pooler'.
    """
    of_algorithm = {
        "integrated_gradients": {"steps": settings.unirex.steps},
        "deep_lift": {"rule": settings.compat.deeplift},
    }
    own: Any = {"aa_grad": settings.compat.aa_grad} | of_algorithm.get(algorithm, {})
    shape = mlp_shape(pooling, "config.unirex.attribution_pooling", otherwise="sum")

    def score(params: Params, batch: Batch, chosen: Int[Array, " b"]) -> Float[Array, "b t"]:
        of = (algorithm, model, params, batch, batch.valid, chosen)
        if shape is None:
            return unit_attributions(*of, **own)
        vectors = unit_attributions(*of, pooling="none", **own)
        variables = {"params": params[POOLER]["head"]}
        found: Any = Mlp(shape, vectors.shape[-1], 1).apply(variables, vectors)
        return found[..., 0]

    return score


def explain_predicted(
    model: RationaleModel, score: ScoreFn
) -> Callable[[Params, Batch], Float[Array, "b t"]]:
    """Scores for the class that is predicted from the whole text."""

    def explain(params: Params, batch: Batch) -> Float[Array, "b t"]:
        whole = model.predict(params, batch, batch.valid, None).logits
        return score(params, batch, whole.argmax(-1))

    return explain


def select_explained(
    explain: Callable[[Params, Batch], Float[Array, "b t"]], share: float
) -> Callable[[Params, Batch, Array | None], tuple[Array, Array]]:
    """The top share of each text by scores that may be of any size."""

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        scores = explain(params, batch)
        (mask,) = masks.top_k_percent(scores, batch.valid, (100 * share,))
        return in_unit_interval(scores, batch.valid), mask

    return select


def in_unit_interval(
    scores: Float[Array, "b t"], valid: Float[Array, "b t"]
) -> Float[Array, "b t"]:
    """sigmoid(score / the text's largest |score|), 0 at padding: order and sign are kept.

    Attributions may be thousands or millionths, of which a plain sigmoid would make ties.
    """
    largest = (jnp.abs(scores) * valid).max(1, keepdims=True)
    return jax.nn.sigmoid(scores / jnp.where(largest > 0, largest, 1.0)) * valid


def _integrated_and_pooled(model: RationaleModel, settings: Settings) -> ScoreFn:
    return attribution_scores(model, INTEGRATED, settings, settings.unirex.attribution_pooling)


def _with_pooler(
    model: RationaleModel, unirex: UnirexObjective
) -> tuple[RationaleModel, tuple[str, ...]]:
    """The model with the group of the configured pooling MLP, and that group's name."""
    shape = mlp_shape(
        unirex.attribution_pooling, "config.unirex.attribution_pooling", otherwise="sum"
    )
    if shape is None:
        return model, ()
    if not unirex.weight_plausibility:
        raise UserError(
            f"config.unirex.attribution_pooling {unirex.attribution_pooling!r} learns from "
            "plausibility alone; take a method that trains it (aa_fp, sgt_p), or sum"
        )
    source = from_vectors(model)

    def make(start: InitFn, key: Array, batch: Batch) -> Any:
        drawn = model.draw or model.init
        vectors = jax.eval_shape(lambda: source.vectors(drawn(key, batch), batch))
        mlp = Mlp(shape, vectors.shape[-1], 1)
        return {"head": mlp.init(key, jnp.zeros((1, vectors.shape[-1])))["params"]}

    return with_group(model, POOLER, make), (POOLER,)


def _update(
    model: RationaleModel,
    unirex: UnirexObjective,
    score: ScoreFn,
    trains: tuple[str, ...],
    weight_task: float,
) -> Update:
    def sums(params: Params, features: Features, batch: Batch, key: Array | None) -> Sums:
        scores = score(params, batch, batch.label)
        return rationale_terms(model, unirex, params, batch, scores, key)

    return Update("predictor", trains, sums, loss_of_terms(unirex, weight_task))
