"""What a predictor makes of more and more of the gold rationale (N2R, figures 3 and 7).

Cross-entropy and accuracy gain less and less (diminishing returns); the norm goes on growing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from n2r_jax.charts import Panel, Series
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.evaluate import Evaluation
from n2r_jax.faithful import MaskedRun
from n2r_jax.metrics.task import cross_entropy
from n2r_jax.probe.masks import first_by

SHARES = tuple(tenth / 10 for tenth in range(11))


def gold_share(
    evaluation: Evaluation, predict: MaskedRun, *, seed: int = 0
) -> dict[str, Any] | None:
    """Return accuracy, cross-entropy (nats) and norm by the share of gold tokens; None without.

    The mask is a text's gold rationale, of which a share 1 - p is exchanged for as many random
    tokens from outside it (or all that there are). Means over the texts with a gold token, of
    questions the answer to the whole question, with the norm of all its rows.
    """
    texts, gold = evaluation.texts, evaluation.gold.astype(bool)
    scored = texts.annotated & gold.any(1)
    if not scored.any():
        return None
    noise = np.random.default_rng(seed).random(gold.shape)
    found: dict[str, list[float]] = {"share": [], "accuracy": [], "cross_entropy": [], "norm": []}
    for share in SHARES:
        mask = exchanged(gold, evaluation.valid, share, noise)
        predicted = predict(texts, mask)
        values = (
            share,
            *_task(texts, predicted.probabilities, scored),
            predicted.norm[scored].mean(),
        )
        for name, value in zip(found, values, strict=True):
            found[name].append(float(value))
    return {"texts": int(scored[:: texts.choices].sum()), **found}


def exchanged(
    gold: Bool[np.ndarray, "n t"],
    valid: Bool[np.ndarray, "n t"],
    share: float,
    noise: Float[np.ndarray, "n t"],
) -> Bool[np.ndarray, "n t"]:
    """Return masks as large as the gold ones, of which round(share * gold tokens) are gold."""
    size: Int[np.ndarray, " n"] = gold.sum(1)
    kept = np.rint(share * size).astype(int)
    return first_by(noise, gold, kept) | first_by(noise, valid & ~gold, size - kept)


def _task(
    texts: EncodedTexts, probabilities: Float[np.ndarray, "n c"], scored: Bool[np.ndarray, " n"]
) -> tuple[float, float]:
    first = scored[:: texts.choices]  # a question once
    labels, own = texts.question_labels[first], probabilities[:: texts.choices][first]
    return float((own.argmax(-1) == labels).mean()), float(cross_entropy(labels, own).mean())


def panels(found: dict[str, Any]) -> list[Panel]:
    """Return the three pictures of the figure."""
    shown = {"accuracy": "", "cross_entropy": "nats", "norm": "||Enc(Z)||"}
    axis = "share of gold tokens in the rationale"
    return [
        Panel(name.replace("_", "-"), axis, unit, [Series("", found["share"], found[name])])
        for name, unit in shown.items()
    ]
