"""UNIREX's plausibility objectives: scores that agree with a human's marks (section 3.3; A.3.2).

V are the units of all annotated inputs of a batch, r their marks (0 or 1), s their scores (raw).

    bce            (1/|V|) sum_V [w r softplus(-s) + (1 - r) softplus(s)], w = (|V| - sum r) / sum r
    kl             mean over inputs with marks of KL(r / |r| || softmax of the input's scores)
    linear         (1/|V|) sum_V s (1 - 2 r)
    linear_margin  (1/|V|) sum_V [max(-m, s (1 - 2 r)) + m]

The paper's `kl` has the extractor's distribution first, which is infinite wherever an unmarked
unit has any probability; ours is the finite one of the two. It is a loss of a whole input, the
others are of units. Counts of V are of the whole batch: they add up over devices like the terms.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.choices import at_least_0, one_of
from n2r_jax.objectives.faithfulness import bounded_below
from n2r_jax.objectives.rationale import Sums

Plausibility = Literal["bce", "kl", "linear", "linear_margin"]


@dataclasses.dataclass(frozen=True)
class PlausibilityObjective:
    """The criterion. Raises UserError for an unknown one and for a negative margin."""

    criterion: Plausibility
    margin: float
    """Of linear_margin, in units of the scores; 0.1 in the release."""

    def __post_init__(self):
        one_of("plausibility criterion", self.criterion, get_args(Plausibility))
        at_least_0("plausibility margin", self.margin)


def plausibility_sums(
    objective: PlausibilityObjective,
    scores: Float[Array, "b t"],
    gold: Float[Array, "b t"],
    valid: Float[Array, "b t"],
    annotated: Float[Array, " b"],
    weight: Float[Array, " b"],
) -> Sums:
    """Sums behind the criterion, over the real units of the annotated inputs.

    valid: 1 at real units, special ones included (their mark is 0). annotated: 1 where a human
    marked a rationale. Scores elsewhere may be anything: they change no sum and get no gradient.
    """
    seen = valid * (annotated * weight)[:, None]
    # Selected before anything is computed: the slope of what is only multiplied by 0 may be a NaN.
    scores = jnp.where(seen > 0, scores, 0.0)
    gold = (gold * (seen > 0)).astype(scores.dtype)
    if objective.criterion == "kl":
        return _divergence_sums(scores, gold, seen)
    if objective.criterion == "bce":
        return {
            "annotated_units": seen.sum(),
            "gold_units": (seen * gold).sum(),
            "gold_loss": (seen * gold * jax.nn.softplus(-scores)).sum(),
            "other_loss": (seen * (1 - gold) * jax.nn.softplus(scores)).sum(),
        }
    linear = scores * (1 - 2 * gold)
    if objective.criterion == "linear_margin":
        linear = bounded_below(linear, objective.margin)
    return {"annotated_units": seen.sum(), "linear_loss": (seen * linear).sum()}


def plausibility_loss(objective: PlausibilityObjective, sums: Sums) -> Float[Array, ""]:
    """The criterion of a batch's totals; 0, and no gradient, where nothing is marked in it.

    A linear criterion needs no positives, so it is 0 only without annotated units.
    """
    if objective.criterion == "kl":
        return _ratio(sums["divergence_from_gold"], sums["inputs_with_gold"])
    if objective.criterion != "bce":
        return _ratio(sums["linear_loss"], sums["annotated_units"])
    units, gold = sums["annotated_units"], sums["gold_units"]
    gold_weight = _ratio(units - gold, gold)
    weighted = gold_weight * sums["gold_loss"] + sums["other_loss"]
    return _ratio(jnp.where(gold > 0, weighted, 0.0), units)


def _divergence_sums(
    scores: Float[Array, "b t"], gold: Float[Array, "b t"], seen: Float[Array, "b t"]
) -> Sums:
    """KL(r / |r| || softmax(s)) = -log |r| - mean over the marked units of log softmax(s)."""
    marked = (seen * gold).sum(1)
    own = marked > 0
    # An input without a mark, or without a unit, has no distribution: it is given any, then left.
    finite = jnp.where((seen > 0) | ~own[:, None], scores, -jnp.inf)
    log_p = jnp.where(gold > 0, jax.nn.log_softmax(finite), 0.0)
    divergence = -jnp.log(jnp.maximum(marked, 1)) - log_p.sum(1) / jnp.maximum(marked, 1)
    return {
        "inputs_with_gold": own.astype(scores.dtype).sum(),
        "divergence_from_gold": jnp.where(own, divergence, 0.0).sum(),
    }


def _ratio(numerator: Float[Array, ""], denominator: Float[Array, ""]) -> Float[Array, ""]:
    """The quotient, 0 where the denominator is 0; the gradient is finite in either case."""
    defined = denominator > 0
    return jnp.where(defined, numerator / jnp.where(defined, denominator, 1.0), 0.0)
