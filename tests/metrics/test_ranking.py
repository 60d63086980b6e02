"""Areas under precision-recall: perfect, reversed and tied scores, and inputs without gold."""

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from n2r_jax.metrics.ranking import corpus_area, instance_area

GOLD = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
VALID = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0]], bool)


@pytest.mark.parametrize("area", ["average_precision", "auprc"])
def test_perfect_scores_give_1_and_inputs_without_gold_nan(area):
    areas = instance_area(GOLD + 0.5, GOLD, VALID, area)
    np.testing.assert_allclose(areas, [1, np.nan, 1])
    assert corpus_area(GOLD + 0.5, GOLD, VALID, area) == pytest.approx(1)
    assert np.isnan(corpus_area(GOLD[1:2] + 0.5, GOLD[1:2], VALID[1:2], area))


def test_ties_give_the_gold_rate_as_average_precision():
    areas = instance_area(np.zeros(GOLD.shape), GOLD, VALID, "average_precision")
    np.testing.assert_allclose(areas, [1 / 2, np.nan, 2 / 3])


def test_they_are_scikit_learns_with_and_without_ties():
    rng = np.random.default_rng(1)
    for steps in (2, 5, 10_000):
        scores = np.round(rng.random((40, 30)) * steps).astype(np.float32) / steps
        gold = (rng.random(scores.shape) < 0.3).astype(int)
        gold[:, 0] |= gold.sum(1) == 0
        precise = [average_precision_score(g, s) for g, s in zip(gold, scores, strict=True)]
        curves = [precision_recall_curve(g, s)[:2] for g, s in zip(gold, scores, strict=True)]
        valid = np.ones(gold.shape, bool)
        for area, theirs in (
            ("average_precision", precise),
            ("auprc", [auc(recall, precision) for precision, recall in curves]),
        ):
            ours = instance_area(scores, gold, valid, area)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_padding_may_hold_anything():
    scores = np.random.default_rng(0).random(GOLD.shape)
    wild = np.where(VALID, scores, np.nan)
    for area in ("average_precision", "auprc"):
        np.testing.assert_array_equal(
            instance_area(scores, GOLD, VALID, area),
            instance_area(wild, np.where(VALID, GOLD, 1), VALID, area),
        )
        assert corpus_area(scores, GOLD, VALID, area) == corpus_area(wild, GOLD, VALID, area)


def test_only_the_corpus_area_asks_for_one_scale():
    gold, valid = np.array([[1, 0], [1, 0]]), np.ones((2, 2))
    scores = np.array([[0.9, 0.8], [0.2, 0.1]])
    assert instance_area(scores, gold, valid, "average_precision").mean() == 1
    assert corpus_area(scores, gold, valid, "average_precision") < 1
