"""Faithfulness of rationales, from the logits of whole and of masked texts (float64).

    comprehensiveness   p(y | x) - p(y | x without its rationale), higher is better
    sufficiency         p(y | x) - p(y | the rationale alone), lower is better

y is the class predicted from the whole text (DeYoung et al. 2020), unless a caller names others.
`aopc` joins the values of all k of K, in one of two definitions that must never be mixed.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int, Int64

from n2r_jax.choices import one_of
from n2r_jax.errors import UserError

Denominator = Literal["k_plus_1", "k"]


def predicted_classes(full: Float[np.ndarray, "n c"]) -> Int64[np.ndarray, " n"]:
    """Return the class of the largest logit of every input."""
    return np.asarray(full).argmax(-1)


def probability_drop(
    full: Float[np.ndarray, "n c"],
    masked: Float[np.ndarray, "k n c"],
    classes: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "k n"]:
    """Return p(y | whole) - p(y | masked) of every input for every k, from logits.

    Comprehensiveness if `masked` saw the texts without their rationales, sufficiency if it saw the
    rationales alone. classes: y of every input, in place of the predicted ones.
    """
    before, after = _log_probabilities(full, masked, classes)
    return np.exp(before)[None] - np.exp(after)


def log_odds(
    full: Float[np.ndarray, "n c"],
    masked: Float[np.ndarray, "k n c"],
    classes: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "k n"]:
    """Return log p(y | masked) - log p(y | whole), nats: lower means that the rationale mattered.

    `masked` saw the texts with their rationales replaced by padding, in place.
    """
    before, after = _log_probabilities(full, masked, classes)
    return after - before[None]


def aopc(per_k: Float[np.ndarray, "k ..."], denominator: Denominator) -> Float[np.ndarray, " ..."]:
    """Return the area over the perturbation curve: the sum over K divided by |K| + 1 or by |K|.

    k_plus_1: Samek et al. 2017 and UNIREX's tables, as if k = 0 were one of K with value 0.
    k: the plain mean, ERASER's. UserError if K is empty or the denominator unknown.
    """
    one_of("denominator of AOPC", denominator, get_args(Denominator))
    per_k = np.asarray(per_k, np.float64)
    if not len(per_k):
        raise UserError("AOPC of no k at all; evaluate at least one top-k percentage")
    return per_k.sum(axis=0) / (len(per_k) + (denominator == "k_plus_1"))


def csd(
    comprehensiveness: Float[np.ndarray, " ..."], sufficiency: Float[np.ndarray, " ..."]
) -> Float[np.ndarray, " ..."]:
    """Return the comprehensiveness-sufficiency difference, higher is better (UNIREX section 4.7).

    Both must be of the same K and the same denominator.
    """
    return np.asarray(comprehensiveness, np.float64) - np.asarray(sufficiency, np.float64)


def _log_probabilities(
    full: Float[np.ndarray, "n c"],
    masked: Float[np.ndarray, "k n c"],
    classes: Int[np.ndarray, " n"] | None,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "k n"]]:
    full, masked = np.asarray(full, np.float64), np.asarray(masked, np.float64)
    if masked.ndim != 3 or masked.shape[1:] != full.shape:
        raise ValueError(f"logits {full.shape} of whole and {masked.shape} of masked texts differ")
    chosen = predicted_classes(full) if classes is None else np.asarray(classes)
    own = np.arange(len(full)), chosen
    return _log_softmax(full)[own], _log_softmax(masked)[:, *own]


def _log_softmax(logits: Float[np.ndarray, "... c"]) -> Float[np.ndarray, "... c"]:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
