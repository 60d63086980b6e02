"""Token F1 in both definitions, and the mean over annotated inputs."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from n2r_jax.errors import UserError
from n2r_jax.metrics.plausibility import annotated_mean, token_f1
from n2r_jax.metrics.ranking import instance_area

GOLD = np.array([[0, 1, 0, 1, 0, 0]])
SCORES = np.array([[0.2, 0.9, 0.8, 0.1, -0.3, 0]])
REAL = np.ones((1, 6))


@pytest.mark.parametrize(
    ("scores", "auprc", "macro", "positive"),
    [
        (SCORES, 0.7083333, 0.6666667, 0.6666667),
        (np.abs(SCORES) + 0.01, 0.6625, 0.25, 0.5),
        (1 - GOLD, 0.1666667, 0, 0),
    ],
)
def test_worked_values(scores, auprc, macro, positive):
    np.testing.assert_allclose(instance_area(scores, GOLD, REAL, "auprc"), [auprc], atol=1e-6)
    np.testing.assert_allclose(token_f1(scores, GOLD, REAL, "macro"), [macro], atol=1e-6)
    np.testing.assert_allclose(token_f1(scores, GOLD, REAL, "positive"), [positive], atol=1e-6)


def test_both_definitions_are_scikit_learns_and_padding_may_hold_anything():
    random = np.random.default_rng(0)
    scores, gold = random.normal(size=(4, 9)), random.integers(0, 2, (4, 9))
    valid = np.arange(9)[None] < np.array([9, 7, 5, 4])[:, None]
    wild = np.where(valid, scores, np.nan)
    for definition, named in (("macro", {"average": "macro"}), ("positive", {})):
        rows = zip(scores, gold, valid, strict=True)
        expected = [f1_score(g[v], s[v] > 0, **named) for s, g, v in rows]
        np.testing.assert_allclose(token_f1(wild, gold, valid, definition), expected)


def test_inputs_without_gold_are_skipped_or_count_as_0():
    values, annotated = np.array([0.5, 0.9, np.nan, 0.7]), np.array([1, 0, 1, 1])
    assert annotated_mean(values, annotated) == pytest.approx(0.6)
    assert annotated_mean(values, annotated, "zero") == pytest.approx(0.3)
    assert np.isnan(annotated_mean(values, np.zeros(4)))


def test_unknown_names_are_one_clear_line():
    with pytest.raises(UserError, match="macro, positive"):
        token_f1(SCORES, GOLD, REAL, "micro")
    with pytest.raises(UserError, match="skip, zero"):
        annotated_mean(np.ones(1), np.ones(1), "half")
