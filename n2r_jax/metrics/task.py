"""Whether the predicted labels are right."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Int64, Num

from n2r_jax.metrics.overlap import ratio


def accuracy(labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"]) -> float:
    """Return the share of inputs whose label is predicted; ValueError if there is no input."""
    labels, predicted = _checked(labels, predicted)
    return float(np.mean(labels == predicted))


def macro_f1(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], *, classes: int
) -> float:
    """Return the mean over all `classes` of the one-against-rest F1 (scikit-learn's macro).

    A class that is neither a label nor predicted scores 0, also when it is absent from the data.
    """
    from sklearn.metrics import f1_score

    labels, predicted = _checked(labels, predicted)
    names = list(range(classes))
    return float(f1_score(labels, predicted, labels=names, average="macro", zero_division=0))


def confusion(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], *, classes: int
) -> Int64[np.ndarray, "c c"]:
    """Return how many inputs of label (row) were given each prediction (column)."""
    return confusion_rows(labels, predicted, classes=classes).sum(axis=0).reshape(classes, classes)


def confusion_rows(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], *, classes: int
) -> Int64[np.ndarray, "n cc"]:
    """Return every input's own flat confusion matrix: sums of its rows are what a resample has."""
    labels, predicted = _checked(labels, predicted)
    if min(labels.min(), predicted.min()) < 0 or max(labels.max(), predicted.max()) >= classes:
        raise ValueError(f"labels and predictions must lie in 0..{classes - 1}")
    rows = np.zeros((len(labels), classes * classes), np.int64)
    rows[np.arange(len(labels)), labels * classes + predicted] = 1
    return rows


def macro_f1_of_sums(sums: Num[np.ndarray, "r cc"]) -> Float[np.ndarray, " r"]:
    """Return `macro_f1` of flat confusion matrices: mean_c 2 hits_c / (labels_c + predicted_c)."""
    classes = round(sums.shape[-1] ** 0.5)
    tables = sums.reshape(-1, classes, classes)
    hits = np.diagonal(tables, axis1=1, axis2=2)
    return ratio(2 * hits, tables.sum(axis=1) + tables.sum(axis=2)).mean(axis=1)


def binary_f1_of_sums(sums: Num[np.ndarray, "r 4"]) -> Float[np.ndarray, " r"]:
    """Return the F1 of class 1, 2 hits / (labels + predicted), of flat 2 x 2 confusions."""
    _, false_positives, misses, hits = sums.T
    return ratio(2 * hits, 2 * hits + misses + false_positives)


def cross_entropy(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n c"]
) -> Float[np.ndarray, " n"]:
    """Return every input's -log p(label), in nats; probabilities are kept above 1e-12."""
    own = np.take_along_axis(np.asarray(probabilities), np.asarray(labels)[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(own.astype(np.float64), 1e-12))


def _checked(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.ndim != 1 or labels.shape != predicted.shape:
        raise ValueError(f"labels {labels.shape} and predictions {predicted.shape} must match")
    if not len(labels):
        raise ValueError("no input to score: labels and predictions are empty")
    return labels.astype(np.int64), predicted.astype(np.int64)
