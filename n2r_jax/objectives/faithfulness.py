"""UNIREX's faithfulness objectives: comprehensiveness and sufficiency (section 3.3; A.3.1).

T, C and S are the cross-entropies (nats, of the gold label) of the whole text, of the text without
its rationale and of the rationale alone. For each k of K:

    comprehensiveness   diff T - C            margin max(-m, T - C) + m
    sufficiency         diff S - T            margin max(-m, S - T) + m
                        mae |S - T|           mse (S - T)^2           kl KL(p_S || p_T)

A margin stops rewarding an input once it is reached: beyond it there is no gradient. Gradients flow
through the whole text's logits as well as the masked ones'.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from n2r_jax.choices import at_least_0, one_of
from n2r_jax.objectives.divergences import kl
from n2r_jax.objectives.rationale import Sums

Comprehensiveness = Literal["diff", "margin"]
Sufficiency = Literal["diff", "margin", "mae", "mse", "kl"]


@dataclasses.dataclass(frozen=True)
class FaithfulnessObjective:
    """Criteria of both losses. Raises UserError for an unknown one and for a negative margin."""

    comprehensiveness: Comprehensiveness
    sufficiency: Sufficiency
    comprehensiveness_margin: float
    """Nats; 1.0 in the release."""
    sufficiency_margin: float
    """Nats; 0.1 in the release."""
    kl_per_class: bool
    """Divide the KL divergence by the number of classes (release: yes, paper: no)."""

    def __post_init__(self):
        for name, choices in (
            ("comprehensiveness", Comprehensiveness),
            ("sufficiency", Sufficiency),
        ):
            one_of(f"{name} criterion", getattr(self, name), get_args(choices))
            at_least_0(f"{name}_margin", getattr(self, f"{name}_margin"))


def comprehensiveness_sums(
    objective: FaithfulnessObjective,
    full: Float[Array, "b c"],
    without: Float[Array, "k b c"],
    label: Int[Array, " b"],
    weight: Float[Array, " b"],
) -> Sums:
    """Sums of inputs and, by k, of the criterion: how little is lost without the rationale.

    full, without: logits of the whole text and of its complement for each k.
    """
    gain = _cross_entropy(full[None], label) - _cross_entropy(without, label)
    if objective.comprehensiveness == "margin":
        gain = bounded_below(gain, objective.comprehensiveness_margin)
    return {"inputs": weight.sum(), "comprehensiveness": (gain * weight[None]).sum(1)}


def sufficiency_sums(
    objective: FaithfulnessObjective,
    full: Float[Array, "b c"],
    alone: Float[Array, "k b c"],
    label: Int[Array, " b"],
    weight: Float[Array, " b"],
) -> Sums:
    """Sums of inputs and, by k, of the criterion: how far the rationale alone is from the text.

    full, alone: logits of the whole text and of its rationale for each k.
    """
    if objective.sufficiency == "kl":
        distance = kl(jax.nn.log_softmax(alone), jax.nn.log_softmax(full)[None])
        distance = distance / (full.shape[-1] if objective.kl_per_class else 1)
    else:
        loss = _cross_entropy(alone, label) - _cross_entropy(full[None], label)
        distance = _distance(objective, loss)
    return {"inputs": weight.sum(), "sufficiency": (distance * weight[None]).sum(1)}


def comprehensiveness_loss(sums: Sums) -> Float[Array, ""]:
    """Mean over inputs for each k, then over K: divided by |K|, unlike the metric."""
    return (sums["comprehensiveness"] / sums["inputs"]).mean()


def sufficiency_loss(sums: Sums) -> Float[Array, ""]:
    """Mean over inputs for each k, then over K: divided by |K|, unlike the metric."""
    return (sums["sufficiency"] / sums["inputs"]).mean()


def bounded_below(values: Float[Array, " ..."], margin: float) -> Float[Array, " ..."]:
    """max(-margin, value) + margin: at least 0, and without a slope beyond the margin."""
    return jnp.maximum(-margin, values) + margin


def _distance(objective: FaithfulnessObjective, loss: Float[Array, "k b"]) -> Float[Array, "k b"]:
    if objective.sufficiency == "margin":
        return bounded_below(loss, objective.sufficiency_margin)
    if objective.sufficiency == "mae":
        # jnp.abs has slope 1 at 0, where a rationale that is the whole text stands; sign has 0.
        return loss * jax.lax.stop_gradient(jnp.sign(loss))
    return loss**2 if objective.sufficiency == "mse" else loss


def _cross_entropy(logits: Float[Array, "k b c"], label: Int[Array, " b"]) -> Float[Array, "k b"]:
    labels = jnp.broadcast_to(label[None], logits.shape[:-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
