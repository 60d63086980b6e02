"""The task metric that UNIREX's tables print for each data set, as a share of 1."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Int

from n2r_jax.choices import one_of
from n2r_jax.metrics.overlap import prf
from n2r_jax.metrics.task import accuracy, macro_f1

TaskMetric = Literal["accuracy", "macro_f1", "binary_f1"]

TASK_METRIC: dict[str, TaskMetric] = {
    "sst": "accuracy",
    "movies": "macro_f1",
    "cose": "accuracy",
    "multirc": "macro_f1",
    "esnli": "macro_f1",
    "yelp": "accuracy",
    "amazon": "accuracy",
    "stormfront": "binary_f1",
    "offenseval": "macro_f1",
    "semeval2018": "binary_f1",
}


def binary_f1(labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"]) -> float:
    """Return the F1 of class 1 against all others, 0 if it is neither a label nor predicted."""
    gold, found = np.asarray(labels) == 1, np.asarray(predicted) == 1
    return float(prf(found.sum(), gold.sum(), (found & gold).sum()).f1)


def dataset_task_metric(
    dataset: str,
    labels: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    *,
    classes: int,
) -> float:
    """Return the score of a data set of `TASK_METRIC`; UserError for one that is not there."""
    one_of("data set of the task metric", dataset, TASK_METRIC)
    metric = TASK_METRIC[dataset]
    if metric == "macro_f1":
        return macro_f1(labels, predicted, classes=classes)
    return accuracy(labels, predicted) if metric == "accuracy" else binary_f1(labels, predicted)
