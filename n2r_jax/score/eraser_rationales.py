"""ERASER's scores of rationales (DeYoung et al., 2020, section 4), by the scorer's definitions.

A key is an annotation and one of its documents. Gold is the set of all distinct evidence spans of
a key. `micro` divides sums over all keys, `macro` averages over keys; but the IoU's macro F1 is the
harmonic mean of two averages, the precision over keys with a prediction and the recall over keys
with gold, while the others' is the average of the keys' own F1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from n2r_jax.metrics.overlap import OverlapCounts, Prf, instance_mean, micro, prf
from n2r_jax.metrics.ranking import instance_area
from n2r_jax.score.eraser_annotations import Annotation, Size
from n2r_jax.score.eraser_predictions import Prediction

Key = tuple[str, str]
Units = Mapping[Key, frozenset[Any]]
"""Spans (start, end) or token places of every key that has any."""
WITHOUT_GOLD_AUPRC = 0.5
"""Area under the points (recall 1, precision 0), (0, 1) that scikit-learn gives such a document."""


def gold_spans(annotations: Iterable[Annotation]) -> Units:
    """Distinct evidence spans by annotation and document."""
    found: dict[Key, set[tuple[int, int]]] = {}
    for row in annotations:
        for evidence in row.evidences:
            span = (evidence.start_token, evidence.end_token)
            found.setdefault((row.id, evidence.docid), set()).add(span)
    return {key: frozenset(spans) for key, spans in found.items()}


def predicted_spans(predictions: Iterable[Prediction]) -> Units:
    """Predicted spans by annotation and document, where there are any."""
    return {
        (row.id, document.docid): frozenset(document.hard)
        for row in predictions
        for document in row.documents
        if document.hard
    }


def tokens_of(spans: Units) -> Units:
    """The tokens that spans cover."""
    covered = {
        key: frozenset(place for start, end in found for place in range(start, end))
        for key, found in spans.items()
    }
    return {key: places for key, places in covered.items() if places}


def exact_scores(gold: Units, predicted: Units) -> dict[str, dict[str, float]]:
    """P, R, F1 of units that must match exactly: spans, or tokens."""
    keys = sorted(gold.keys() | predicted.keys())
    none: frozenset[Any] = frozenset()
    table = [
        (len(predicted.get(key, none)), len(gold.get(key, none)), len(both), 0)
        for key in keys
        for both in [predicted.get(key, none) & gold.get(key, none)]
    ]
    counts = OverlapCounts(*np.asarray(table, np.int64).reshape(-1, 4).T)
    return {"instance_micro": _row(micro(counts)), "instance_macro": _row(instance_mean(counts))}


def iou_scores(gold: Units, predicted: Units, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """P, R, F1 where a predicted span is right if its best IoU with a gold span >= threshold."""
    best = {
        key: [max((_iou(span, other) for other in gold.get(key, ())), default=0.0) for span in own]
        for key, own in predicted.items()
    }
    return [{"threshold": t} | _iou_at(gold, predicted, best, t) for t in thresholds]


def _iou_at(
    gold: Units, predicted: Units, best: Mapping[Key, list[float]], threshold: float
) -> dict[str, Any]:
    hits = {key: sum(iou >= threshold for iou in ious) for key, ious in best.items()}
    precision = _mean_share(hits, predicted)
    recall = _mean_share(hits, gold)
    both = precision + recall
    f1 = 2 * precision * recall / both if both else 0.0
    return {
        "micro": _row(prf(_total(predicted), _total(gold), np.asarray(sum(hits.values())))),
        "macro": {"p": precision, "r": recall, "f1": f1},
    }


def _total(units: Units) -> Int64[np.ndarray, ""]:
    return np.asarray(sum(map(len, units.values())), np.int64)


def _mean_share(hits: Mapping[Key, int], units: Units) -> float:
    """Mean over keys of hits / units; 0 of no key."""
    return sum(hits.get(key, 0) / len(own) for key, own in units.items()) / max(len(units), 1)


def _iou(one: tuple[int, int], other: tuple[int, int]) -> float:
    shared = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (one[1] - one[0]) + (other[1] - other[0]) - shared
    return shared / union if union else 0.0


def soft_scores(
    predictions: Iterable[Prediction], marks: Callable[[Key], Bool[np.ndarray, " t"]], field: str
) -> dict[str, float]:
    """Means over all predicted documents of AUPRC, average precision and ROC AUC.

    field: 'soft' or 'sentences'. A document without gold counts 0.5 in the AUPRC; where all units
    are gold, or none, there is nothing to rank, and the other two leave the document out (NaN
    where no document is left).
    """
    found = [
        _areas(getattr(document, field), marks((row.id, document.docid)))
        for row in predictions
        for document in row.documents
    ]
    area, precision, roc = np.asarray(found, np.float64).T
    return {
        "auprc": float(area.mean()),
        "average_precision": _mean(precision),
        "roc_auc_score": _mean(roc),
    }


def _areas(
    scores: Float[np.ndarray, " t"], gold: Bool[np.ndarray, " t"]
) -> tuple[float, float, float]:
    from sklearn.metrics import roc_auc_score

    if not gold.any():
        return WITHOUT_GOLD_AUPRC, np.nan, np.nan
    row = (scores[None], gold[None], np.ones((1, len(gold)), bool))
    auprc = float(instance_area(*row, "auprc")[0])
    if gold.all():
        return auprc, np.nan, np.nan
    precision = float(instance_area(*row, "average_precision")[0])
    return auprc, precision, float(roc_auc_score(gold, scores))


def _mean(values: Float[np.ndarray, " n"]) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")


def gold_marks(
    annotations: Iterable[Annotation], sizes: Mapping[str, Size], *, sentences: bool
) -> Callable[[Key], Bool[np.ndarray, " t"]]:
    """A function from a key to the gold marks of its document's tokens, or sentences."""
    spans: dict[Key, list[tuple[int, int]]] = {}
    for row in annotations:
        for evidence in row.evidences:
            places = evidence[3:5] if sentences else evidence[1:3]
            spans.setdefault((row.id, evidence.docid), []).append((places[0], places[1]))

    def marks(key: Key) -> Bool[np.ndarray, " t"]:
        found = np.zeros(sizes[key[1]].sentences if sentences else sizes[key[1]].tokens, bool)
        for start, end in spans.get(key, ()):
            if start < end:
                found[start:end] = True
        return found

    return marks


def _row(score: Prf) -> dict[str, float]:
    return {"p": float(score.precision), "r": float(score.recall), "f1": float(score.f1)}
