"""The mask-only probe: how much of the label can be read from where the selected tokens stand.

A masked text keeps its gaps, so an extractor may tell the predictor the label by places and counts
instead of words. What a simple classifier reads from the mask alone bounds that leak from below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from n2r_jax.evaluate import Evaluation
from n2r_jax.metrics.bootstrap import bootstrap_mean
from n2r_jax.metrics.task import cross_entropy

FOLDS = 5
BINS = 10
ENDS = 8
"""Tokens from either end whose flags are features of their own."""


def mask_only(evaluation: Evaluation, *, seed: int = 0) -> dict[str, Any]:
    """Return what can be read of true and predicted labels from a text's length and mask alone.

    For each: `majority` (share of the most frequent label), `length` (a classifier that sees how
    long the text is) and `mask` (which sees its mask, too), each with accuracy, its interval and
    `information` in bits; or the reason why there is nothing to say. The rows of a question are
    asked whether they are the right, or the predicted, answer. Nodes of a graph have no places: of
    its mask the count alone is read.
    """
    texts, outputs = evaluation.texts, evaluation.outputs
    length = np.log1p(texts.lengths.astype(np.float64))[:, None]
    of_mask = mask_features if texts.graphs is None else mask_counts
    whole = np.concatenate([length, of_mask(outputs.mask, texts.lengths)], axis=1)
    predicted = outputs.probabilities.argmax(-1)
    targets = {"label": np.asarray(texts.labels), "prediction": predicted}
    if texts.choices > 1:
        answer = np.arange(len(texts)) % texts.choices
        targets = {name: (answer == own).astype(int) for name, own in targets.items()}
    return {name: _of_target(own, length, whole, seed) for name, own in targets.items()}


def _of_target(
    target: Int[np.ndarray, " n"],
    length: Float[np.ndarray, "n 1"],
    whole: Float[np.ndarray, "n f"],
    seed: int,
) -> dict[str, Any]:
    _, place, counts = np.unique(target, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return {"missing": "all texts have the same"}
    if counts.min() < 2:
        return {"missing": "one of them occurs only once"}
    shares = counts / counts.sum()
    return {
        "majority": float(shares.max()),
        "entropy": float(-(shares * np.log2(shares)).sum()),
        "length": readable(length, place, seed),
        "mask": readable(whole, place, seed),
    }


def readable(
    features: Float[np.ndarray, "n f"], target: Int[np.ndarray, " n"], seed: int
) -> dict[str, float]:
    """Return accuracy and information (bits) of logistic regression on texts it was not fitted to.

    Stratified folds. Information is H(label) - cross-entropy, a lower bound of the mutual
    information of features and label up to chance (Barber and Agakov, 2003), at least 0.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = np.bincount(target)
    folds = StratifiedKFold(int(min(FOLDS, counts.min())), shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    found = cross_val_predict(model, features, target, cv=folds, method="predict_proba")
    right = bootstrap_mean((found.argmax(-1) == target).astype(np.float64), seed=seed)
    shares = counts / counts.sum()
    nats = -(shares * np.log(shares)).sum() - cross_entropy(target, found).mean()
    return {
        "accuracy": right.value,
        "low": right.low,
        "high": right.high,
        "information": max(0.0, float(nats / np.log(2))),
    }


def mask_features(
    mask: Shaped[np.ndarray, "n t"], lengths: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n f"]:
    """Return numbers that say how a mask looks, whatever the words.

    Selected tokens and their share, runs and their mean length, first, mean and last place; the
    selected share of each tenth of the text; and the flags of the first and last tokens.
    """
    rows = [_features(own[:length].astype(bool)) for own, length in zip(mask, lengths, strict=True)]
    return np.array(rows, np.float64)


def mask_counts(
    mask: Shaped[np.ndarray, "n t"], lengths: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n 2"]:
    """Return how many units are selected, and which share."""
    selected = mask.sum(1).astype(np.float64)
    return np.stack([selected, selected / np.maximum(lengths, 1)], axis=1)


def _features(mask: Shaped[np.ndarray, " t"]) -> Float[np.ndarray, " f"]:
    length, places = max(len(mask), 1), np.flatnonzero(mask)
    selected = len(places)
    starts = int(np.diff(mask.astype(int), prepend=0).clip(0).sum())
    where = (places + 0.5) / length
    spread = (where[0], where.mean(), where[-1]) if selected else (0.5, 0.5, 0.5)
    general = (selected, selected / length, starts, selected / max(starts, 1), *spread)
    tenth = np.bincount((where * BINS).astype(int), minlength=BINS) / length
    ends = np.zeros((2, ENDS))
    for row, flags in enumerate((mask[:ENDS], mask[::-1][:ENDS])):
        ends[row, : len(flags)] = flags
    return np.concatenate([general, tenth, ends.ravel()])
