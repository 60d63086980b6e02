"""Overlap with gold at any sparsity: what the scores are worth, wherever the mask is cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from n2r_jax.metrics.baselines import ceiling_micro, random_micro
from n2r_jax.metrics.overlap import OverlapCounts, micro, sparsity

PERCENTAGES = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100)


def sparsity_curve(
    scores: Float[np.ndarray, "n t"],
    gold: Shaped[np.ndarray, "n t"],
    valid: Shaped[np.ndarray, "n t"],
    percentages: Sequence[float] = PERCENTAGES,
) -> dict[str, list[float]]:
    """Return corpus-micro scores of the top k % of each text by score, for every k, as shares of 1.

    Lists by name: percentage, sparsity (what is really selected, since a text has whole units and
    at least one), precision, recall, f1, and the f1 of `random` and `ceiling` at that sparsity.
    Masks are those of `masks.top_k_percent`: of equal scores the first in the text wins.
    """
    real, marks = np.asarray(valid).astype(bool), np.asarray(gold).astype(bool)
    length = real.sum(1, dtype=np.int64)
    best = np.argsort(np.where(real, -np.asarray(scores), np.inf), axis=1, kind="stable")
    found = np.cumsum(np.take_along_axis(marks & real, best, axis=1), axis=1, dtype=np.int64)
    rows = []
    for percentage in percentages:
        share = length.astype(np.float32) * np.float32(percentage) / np.float32(100)
        size = np.minimum(np.maximum(1, np.rint(share).astype(np.int64)), length)
        hits = np.where(size > 0, np.take_along_axis(found, size[:, None] - 1, axis=1)[:, 0], 0)
        counts = OverlapCounts(size, found[:, -1], hits, length)
        others = {"random": random_micro(counts).f1, "ceiling": ceiling_micro(counts).f1}
        scored = micro(counts)._asdict() | others
        rows.append({"percentage": percentage, "sparsity": sparsity(counts)} | scored)
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
