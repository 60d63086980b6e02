"""How well scores rank the gold units above the others: two areas under one curve.

`average_precision` is the step-wise sum of (R_n - R_{n-1}) P_n, `auprc` the trapezoidal area
under the same points, which is optimistic (Davis and Goadrich, 2006). ERASER prints both under
these names. scikit-learn's functions are the definitions, and the tests hold these to them; an
input at a time they take a millisecond each, most of it to look at their arguments.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

Area = Literal["average_precision", "auprc"]


def instance_area(
    scores: Float[np.ndarray, "n t"],
    gold: Shaped[np.ndarray, "n t"],
    valid: Shaped[np.ndarray, "n t"],
    area: Area,
) -> Float[np.ndarray, " n"]:
    """Return every input's area over its real units, NaN for an input without gold.

    ERASER counts 0.5 for the `auprc` of such an input (with scikit-learn 1.9); we leave it out.
    """
    return np.array(
        [
            _area(row[real], marks[real], area) if marks[real].any() else np.nan
            for row, marks, real in zip(scores, _bool(gold), _bool(valid), strict=True)
        ],
        np.float64,
    )


def corpus_area(
    scores: Float[np.ndarray, "n t"],
    gold: Shaped[np.ndarray, "n t"],
    valid: Shaped[np.ndarray, "n t"],
    area: Area,
) -> float:
    """Return the area over the real units of all inputs pooled, NaN if none is gold.

    Pooling compares scores across inputs, so it also asks whether they share one scale.
    """
    real = _bool(valid)
    pooled, marks = np.asarray(scores)[real], _bool(gold)[real]
    return _area(pooled, marks, area) if marks.any() else float("nan")


def _area(scores: Float[np.ndarray, " t"], gold: Shaped[np.ndarray, " t"], area: Area) -> float:
    """Of one ranking with at least one gold unit; equal scores are selected together."""
    best = np.argsort(-scores, kind="stable")
    ranked = scores[best]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found = np.cumsum(gold[best])[last]
    precision, recall = found / (last + 1), found / found[-1]
    gained = np.diff(recall, prepend=0.0)
    if area == "average_precision":
        return float((gained * precision).sum())
    before = np.concatenate([[1.0], precision[:-1]])  # the curve begins at recall 0, precision 1
    return float((gained * (precision + before)).sum() / 2)


def _bool(values: Shaped[np.ndarray, "n t"]) -> Shaped[np.ndarray, "n t"]:
    return np.asarray(values).astype(bool)
