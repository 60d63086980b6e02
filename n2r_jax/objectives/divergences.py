"""Divergences of predicted distributions, in nats, from logits; gradients flow into both sides."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.choices import one_of
from n2r_jax.objectives.rationale import Sums

Divergence = Literal["reverse_jsd", "jsd"]


def kl(log_p: Float[Array, "... c"], log_q: Float[Array, "... c"]) -> Float[Array, " ..."]:
    """KL(p || q) = sum_c p_c (log p_c - log q_c), of log-probabilities."""
    return (jnp.exp(log_p) * (log_p - log_q)).sum(-1)


def jensen_shannon(
    logits: Float[Array, "... c"], others: Float[Array, "... c"], which: Divergence
) -> Float[Array, " ..."]:
    """Divergence of p and q through their mean m = (p + q) / 2.

    jsd          1/2 [KL(p || m) + KL(q || m)], Jensen and Shannon's (Lin, 1991)
    reverse_jsd  1/2 [KL(m || p) + KL(m || q)], what UNIREX's release trains A2R on
    """
    one_of("divergence of two predictors", which, get_args(Divergence))
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(others)
    log_m = jnp.logaddexp(log_p, log_q) - jnp.log(2.0)
    if which == "jsd":
        return (kl(log_p, log_m) + kl(log_q, log_m)) / 2
    return (kl(log_m, log_p) + kl(log_m, log_q)) / 2


def agreement_sums(
    rationale: Float[Array, "k b c"],
    full: Float[Array, "b c"],
    weight: Float[Array, " b"],
    which: Divergence,
) -> Sums:
    """Sums of inputs and, by k, of the divergence of A2R's two predictors (Yu et al. 2021).

    rationale: logits from the top-k rationale alone, for each k. full: those of the second
    predictor, which sees the whole text through the selector's soft attention.
    """
    divergence = jensen_shannon(rationale, jnp.broadcast_to(full[None], rationale.shape), which)
    return {"inputs": weight.sum(), "divergence": (divergence * weight[None]).sum(1)}


def agreement_loss(sums: Sums) -> Float[Array, ""]:
    """Mean divergence over inputs and K."""
    return (sums["divergence"] / sums["inputs"]).mean()
