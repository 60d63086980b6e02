"""Task scores: scikit-learn's values, and clear refusals."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from n2r_jax.metrics.task import (
    accuracy,
    confusion,
    confusion_rows,
    cross_entropy,
    macro_f1,
    macro_f1_of_sums,
)

RNG = np.random.default_rng(0)
LABELS, PREDICTED = RNG.integers(3, size=(2, 200))


def test_scores_are_those_of_scikit_learn():
    assert accuracy(LABELS, PREDICTED) == pytest.approx(accuracy_score(LABELS, PREDICTED))
    expected = f1_score(LABELS, PREDICTED, average="macro")
    assert macro_f1(LABELS, PREDICTED, classes=3) == pytest.approx(expected)
    table = confusion(LABELS, PREDICTED, classes=3)
    np.testing.assert_array_equal(table, confusion_matrix(LABELS, PREDICTED))
    probabilities = RNG.dirichlet(np.ones(3), size=200)
    expected = log_loss(LABELS, probabilities)
    assert cross_entropy(LABELS, probabilities).mean() == pytest.approx(expected)


@pytest.mark.parametrize("classes", [3, 5])
def test_macro_f1_of_sums_is_macro_f1(classes):
    sums = confusion_rows(LABELS, PREDICTED, classes=classes).sum(axis=0, keepdims=True)
    expected = macro_f1(LABELS, PREDICTED, classes=classes)
    assert macro_f1_of_sums(sums)[0] == pytest.approx(expected)


def test_always_predicting_the_common_class_shows_in_macro_f1():
    labels = np.array([1] * 98 + [0] * 2)
    predicted = np.ones(100, int)
    assert accuracy(labels, predicted) == 0.98
    assert macro_f1(labels, predicted, classes=2) < 0.5


def test_a_probability_of_0_costs_a_finite_loss():
    assert np.isfinite(cross_entropy(np.array([0]), np.array([[0.0, 1.0]]))).all()


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([], [], "empty"),
        ([0, 1], [0], "match"),
        ([0, 3], [0, 1], "0..1"),
        ([0, -1], [0, 1], "0..1"),
    ],
)
def test_arrays_that_cannot_be_scored_are_refused(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion(np.array(labels), np.array(predicted), classes=2)
