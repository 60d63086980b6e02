"""A2R: a selector between two predictors that are to agree (Yu et al. 2021; UNIREX section 6.3).

    predictor 1   reads the top k % of the units, for every k of K, and learns the task
    predictor 2   reads all units, averaged by the softmax of the selector's scores
    selector      learns from their divergence, through predictor 2's soft attention alone

One update trains all three on L_task + w_a divergence (+ w_p L_plaus). What is selected are
constants, as in all of UNIREX. `config.compat` has what the release does otherwise than the paper.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax import masks
from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.methods.base import Method, Metrics, Update
from n2r_jax.methods.groups import model_of, with_copy
from n2r_jax.methods.unirex.extractors import (
    check_encoders,
    loss_of_terms,
    plausibility_terms,
    select_top_share,
)
from n2r_jax.methods.unirex.passes import masked_logits
from n2r_jax.methods.updates import BOTH, Settings
from n2r_jax.models.encoders.layers import split_key
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.objectives.divergences import agreement_sums
from n2r_jax.objectives.rationale import Sums, task_sums
from n2r_jax.objectives.unirex import UnirexObjective

SECOND = "second_predictor"


def a2r(name: str, terms: str) -> Callable[[RationaleModel, Settings], Method]:
    """A row of UNIREX's tables. terms: 'a' agreement, 'ap' plausibility as well."""

    def build(model: RationaleModel, settings: Settings) -> Method:
        check_encoders(name, model, shared=False)
        model = with_copy(model, SECOND, of="predictor")
        unirex = settings.unirex.only(terms)
        against_nothing = settings.compat.spp_faithfulness == "empty"
        return Method(
            name,
            model,
            (_update(model, unirex, settings),),
            select_top_share(model, settings.objective.sparsity),
            needs_gold=unirex.weight_plausibility > 0,
            dropout=settings.compat.dropout,
            faithful_to="top_k" if against_nothing else "text",
        )

    return build


def _update(model: RationaleModel, unirex: UnirexObjective, settings: Settings) -> Update:
    compat, attend = settings.compat, model_of(model, predictor=SECOND).attend
    if attend is None:
        raise UserError("A2R's second predictor attends to units; take a model of text")
    weight_task = settings.objective.lambda_cross_entropy
    of_terms = loss_of_terms(unirex, weight_task)

    def sums(params: Params, features: Features, batch: Batch, key: Array | None) -> Sums:
        for_scores, for_first, for_second = split_key(key, 3)
        scores = model.score(params, features, batch, for_scores)
        chosen = masks.top_k_percent(scores, batch.valid, unirex.k)
        at_once = unirex.passes_at_once
        alone = masked_logits(model, params, batch, chosen, for_first, at_once)
        whole = attend(params, batch, scores, compat.a2r_mask_pads, for_second).logits
        found = _task_over_k(alone, batch) | plausibility_terms(unirex, batch, scores)
        found |= agreement_sums(alone, whole, batch.weight, compat.a2r_divergence)
        if compat.a2r_p2_ce:
            own = task_sums(whole, batch.label, batch.weight)
            found["second_cross_entropy"] = own["cross_entropy"]
        return found

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        total, found = of_terms(sums)
        if compat.a2r_p2_ce:
            total = total + weight_task * sums["second_cross_entropy"] / sums["inputs"]
            found |= {
                "second_cross_entropy": (sums["second_cross_entropy"], sums["inputs"]),
                "loss/joint": (total * sums["inputs"], sums["inputs"]),
            }
        return total, found

    return Update("joint", (*BOTH, SECOND), sums, loss)


def _task_over_k(logits: Float[Array, "k b c"], batch: Batch) -> Sums:
    """Means over K of the sums of cross-entropy and correct predictions."""
    count = len(logits)
    label, weight = jnp.tile(batch.label, count), jnp.tile(batch.weight, count)
    pooled = task_sums(logits.reshape(-1, logits.shape[-1]), label, weight)
    return {name: value / count for name, value in pooled.items()}
