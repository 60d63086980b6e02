"""UNIREX with a trained extractor: a language model of its own (DLM) or the task's (SLM).

One update trains everything on L_task + w_c L_comp + w_s L_suff + w_p L_plaus. Rationales are the
top k % of the units by score; they are constants, so that faithfulness reaches the predictor only
(and in SLM the encoder that both share), plausibility the extractor only (section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax import masks
from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.methods.base import Method, Metrics, Update
from n2r_jax.methods.unirex.passes import divided_logits, masked_logits
from n2r_jax.methods.updates import BOTH, Settings
from n2r_jax.models.encoders.layers import split_key
from n2r_jax.models.interface import Features, Params, Prediction, RationaleModel
from n2r_jax.objectives.divergences import agreement_loss
from n2r_jax.objectives.faithfulness import (
    comprehensiveness_loss,
    comprehensiveness_sums,
    sufficiency_loss,
    sufficiency_sums,
)
from n2r_jax.objectives.plausibility import plausibility_loss, plausibility_sums
from n2r_jax.objectives.rationale import Sums, task_sums
from n2r_jax.objectives.unirex import UnirexObjective


def extractor_method(
    name: str, terms: str, *, shared: bool
) -> Callable[[RationaleModel, Settings], Method]:
    """A row of UNIREX's tables. terms: 'f' faithfulness, 'p' plausibility, 'fp' both.

    shared: one encoder (SLM) or two (DLM); UserError where the model has the other.
    """

    def build(model: RationaleModel, settings: Settings) -> Method:
        check_encoders(name, model, shared=shared)
        unirex = settings.unirex.only(terms)
        update = joint_update(model, unirex, settings.objective.lambda_cross_entropy)
        return Method(
            name,
            model,
            (update,),
            select_top_share(model, settings.objective.sparsity),
            predicts_from_all=True,
            needs_gold=unirex.weight_plausibility > 0,
            dropout=settings.compat.dropout,
        )

    return build


def check_encoders(name: str, model: RationaleModel, *, shared: bool) -> None:
    """Raise UserError unless extractor and predictor share an encoder, or do not, as asked."""
    if bool(model.shared) != shared:
        wanted = "one encoder for both" if shared else "two encoders"
        raise UserError(
            f"config.method {name!r} is of {wanted}; set config.encoder.shared={shared}"
        )


def joint_update(model: RationaleModel, unirex: UnirexObjective, weight_task: float) -> Update:
    """Extractor and predictor in one step on the sum of all terms that have a weight."""

    def sums(params: Params, features: Features, batch: Batch, key: Array | None) -> Sums:
        for_scores, for_predictor = split_key(key, 2)
        if model.score_and_predict is None:
            scores, whole = model.score(params, features, batch, for_scores), None
        else:
            scores, whole = model.score_and_predict(params, features, batch, for_scores)
        return rationale_terms(model, unirex, params, batch, scores, for_predictor, whole)

    return Update("joint", (*BOTH, *model.shared), sums, loss_of_terms(unirex, weight_task))


def rationale_terms(
    model: RationaleModel,
    unirex: UnirexObjective,
    params: Params,
    batch: Batch,
    scores: Float[Array, "b t"],
    key: Array | None,
    whole: Prediction | None = None,
) -> Sums:
    """Sums behind all terms, whatever the scores come from: 1 + 2 |K| passes of the predictor.

    whole: what it makes of the whole text, where that is known: one pass less.
    """
    logits = None if whole is None else whole.logits
    full, without, alone = _passes(model, unirex, params, batch, scores, key, logits)
    sums = task_sums(full, batch.label, batch.weight)
    faithfulness, label, weight = unirex.faithfulness, batch.label, batch.weight
    if without is not None:
        sums |= comprehensiveness_sums(faithfulness, full, without, label, weight)
    if alone is not None:
        sums |= sufficiency_sums(faithfulness, full, alone, label, weight)
    return sums | plausibility_terms(unirex, batch, scores)


def plausibility_terms(unirex: UnirexObjective, batch: Batch, scores: Float[Array, "b t"]) -> Sums:
    """Sums behind plausibility; none where it has no weight."""
    if not unirex.weight_plausibility:
        return {}
    gold = batch.rationale.astype(scores.dtype)
    seen = (batch.valid, batch.annotated, batch.weight)
    return plausibility_sums(unirex.plausibility, scores, gold, *seen)


def loss_of_terms(
    unirex: UnirexObjective, weight_task: float
) -> Callable[[Sums], tuple[Array, Metrics]]:
    """The loss of the sums of all terms that have a weight, and each term as a metric."""

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        inputs = sums["inputs"]
        total = weight_task * sums["cross_entropy"] / inputs
        found: Metrics = {
            "cross_entropy": (sums["cross_entropy"], inputs),
            "accuracy": (sums["correct"], inputs),
        }
        for name, weight, value in (
            ("comprehensiveness", unirex.weight_comprehensiveness, comprehensiveness_loss),
            ("sufficiency", unirex.weight_sufficiency, sufficiency_loss),
            ("plausibility", unirex.weight_plausibility, _plausibility(unirex)),
            ("agreement", unirex.weight_agreement, agreement_loss),
        ):
            if weight:
                term = value(sums)
                total = total + weight * term
                found[f"loss/{name}"] = (term * inputs, inputs)
        return total, found | {"loss/joint": (total * inputs, inputs)}

    return loss


def select_top_share(
    model: RationaleModel, share: float
) -> Callable[[Params, Batch, Array | None], tuple[Array, Array]]:
    """The best-scored share of each text's units; nothing is drawn, with a key or without."""

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        scores = model.score(params, model.encode(params, batch), batch, None)
        valid = model.selectable(batch)
        (mask,) = masks.top_k_percent(scores, valid, (100 * share,))
        return jax.nn.sigmoid(scores) * valid, mask * valid

    return select


def _passes(
    model: RationaleModel,
    unirex: UnirexObjective,
    params: Params,
    batch: Batch,
    scores: Float[Array, "b t"],
    key: Array | None,
    full: Float[Array, "b c"] | None,
) -> tuple[Array, Array | None, Array | None]:
    """Logits of the whole text, of each k's complement and of each k's rationale, where needed."""
    chosen = masks.top_k_percent(scores, batch.valid, unirex.k)
    compares, keeps = unirex.weight_comprehensiveness > 0, unirex.weight_sufficiency > 0
    at_once = unirex.passes_at_once
    if compares and keeps and model.divides(batch):
        for_full, for_halves = split_key(key, 2)
        if full is None:
            full = model.predict(params, batch, batch.valid, for_full).logits
        alone, without = divided_logits(model, params, batch, chosen, for_halves, at_once)
        return full, without, alone
    shown = [batch.valid[None]] if full is None else []
    if compares:
        shown.append(masks.complements(chosen, batch.valid))
    if keeps:
        shown.append(chosen)
    if not shown and full is not None:
        return full, None, None
    logits = masked_logits(model, params, batch, jnp.concatenate(shown), key, at_once)
    if full is None:
        full, logits = logits[0], logits[1:]
    count = len(unirex.k)
    return full, logits[:count] if compares else None, logits[-count:] if keeps else None


def _plausibility(unirex: UnirexObjective) -> Callable[[Sums], Array]:
    return lambda sums: plausibility_loss(unirex.plausibility, sums)
