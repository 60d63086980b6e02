"""ERASER's scores of classes: task performance, comprehensiveness and sufficiency.

For a row with class y = `classification` and probabilities p of the whole input, q of the ablated
one: p(y) - q(y), H(p) - H(q) and KL(q, p) in nats, each averaged over rows (DeYoung et al., 2020,
section 4.3; entropies and divergence are the scorer's). AOPC is the plain mean over thresholds of
the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from n2r_jax.errors import UserError
from n2r_jax.score.eraser_annotations import Annotation
from n2r_jax.score.eraser_predictions import Distribution, Prediction

KINDS = ("comprehensiveness", "sufficiency")


def class_scores(
    annotations: Sequence[Annotation],
    predictions: Sequence[Prediction],
    thresholds: Sequence[float],
) -> dict[str, Any]:
    """All of `classification_scores`; what the rows give no data for is None."""
    scores = _task_scores(annotations, {row.id: row for row in predictions})
    for kind in KINDS:
        ablated = [getattr(row, kind) for row in predictions]
        scores |= _ablation_scores(kind, predictions, ablated)
    return scores | _aopc_scores(predictions, thresholds)


def _task_scores(
    annotations: Sequence[Annotation], rows: Mapping[str, Prediction]
) -> dict[str, Any]:
    from sklearn.metrics import accuracy_score, classification_report

    truth = [row.label for row in annotations]
    predicted = [rows[row.id].label for row in annotations]
    # Undefined ratios are 0, as the scorer's (scikit-learn's default, which warns).
    report = classification_report(truth, predicted, output_dict=True, zero_division=0)
    return {"accuracy": float(accuracy_score(truth, predicted)), "prf": _plain(report)}


def _ablation_scores(
    kind: str, predictions: Sequence[Prediction], ablated: Sequence[Distribution | None]
) -> dict[str, float | None]:
    if any(one is None for one in ablated):
        return {kind: None, f"{kind}_entropy": None, f"{kind}_kl": None}
    pairs = [_aligned(row.scores, one) for row, one in zip(predictions, ablated, strict=True)]
    return {
        kind: _mean_drop(predictions, ablated),
        f"{kind}_entropy": float(np.mean([_entropy(p) - _entropy(q) for p, q in pairs])),
        f"{kind}_kl": float(np.mean([_divergence(q, p) for p, q in pairs])),
    }


def _aopc_scores(predictions: Sequence[Prediction], thresholds: Sequence[float]) -> dict[str, Any]:
    names = [f"{kind}_aopc{end}" for kind in KINDS for end in ("", "_points")]
    if any(row.thresholded is None for row in predictions):
        return dict.fromkeys([*names, "aopc_thresholds"])
    scores: dict[str, Any] = {"aopc_thresholds": list(thresholds)}
    for kind in KINDS:
        points = [
            _mean_drop(predictions, [getattr(_at(row, t), kind) for row in predictions])
            for t in thresholds
        ]
        scores |= {f"{kind}_aopc": float(np.mean(points)), f"{kind}_aopc_points": points}
    return scores


def _at(row: Prediction, threshold: float) -> Any:
    found = row.thresholded or {}
    if threshold not in found:
        given = " ".join(map(str, sorted(found)))
        raise UserError(
            f"line {row.line} of the predictions has no threshold {threshold}; "
            f"score with --aopc-thresholds {given or 'of its own'}"
        )
    return found[threshold]


def _mean_drop(predictions: Sequence[Prediction], ablated: Sequence[Distribution | None]) -> float:
    """Mean over rows of p(y) - q(y)."""
    drops = [
        row.scores[row.label] - one[row.label]
        for row, one in zip(predictions, ablated, strict=True)
        if row.scores is not None and row.label is not None and one is not None
    ]
    return float(np.mean(drops))


def _aligned(p: Distribution | None, q: Distribution | None) -> tuple[np.ndarray, np.ndarray]:
    """Both distributions in one order of labels, each normalised."""
    assert p is not None and q is not None
    found = [np.asarray([one[label] for label in p], np.float64) for one in (p, q)]
    return found[0] / found[0].sum(), found[1] / found[1].sum()


def _entropy(p: np.ndarray) -> float:
    own = p[p > 0]
    return float(-(own * np.log(own)).sum())


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p, q) = sum p log(p / q), infinite where q has a 0 that p has not."""
    own, other = p[p > 0], q[p > 0]
    return float((own * np.log(own / other)).sum()) if other.all() else float("inf")


def _plain(report: Any) -> Any:
    if isinstance(report, Mapping):
        return {name: _plain(value) for name, value in report.items()}
    return float(report)
