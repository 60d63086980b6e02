"""Paired tests on scores whose answer is known, and against SciPy."""

import numpy as np
import pytest
from scipy import stats

from n2r_jax.compare.inputs import InputScores
from n2r_jax.compare.statistics import differences, holm, run_scores, signed_rank

RNG = np.random.default_rng(0)


def made(f1, correct=None, annotated=None):
    """Inputs of 20 tokens with 10 gold ones, of 10 selected, that score so much."""
    hits = np.round(10 * np.nan_to_num(f1)).astype(int)
    size = np.full(len(f1), 10)
    counts = np.stack([size, np.where(np.isnan(f1), 0, 10), hits, 2 * size], axis=1)
    correct = np.ones(len(f1)) if correct is None else correct
    marked = ~np.isnan(f1) if annotated is None else annotated
    return InputScores(correct, counts, np.asarray(f1), marked)


def test_scores_and_differences_are_those_of_the_tables():
    first, second = RNG.integers(0, 8, 60) / 10, RNG.integers(0, 10, 60) / 10
    scores = {"a": made(first), "b": made(second)}
    found = run_scores(scores["b"], 50)
    assert found["f1_micro"]["value"] == pytest.approx(second.mean())
    assert found["f1_instance_mean"]["value"] == pytest.approx(second.mean())
    assert found["accuracy"]["value"] == 1 and found["sparsity_micro"] == 0.5
    (row,) = differences(scores, 200)
    assert row["run"] == "b" and row["minus"] == "a"
    for name in ("f1_micro", "f1_instance_mean"):
        assert row[name]["value"] == pytest.approx(second.mean() - first.mean())
        assert row[name]["low"] < row[name]["value"] < row[name]["high"]
    assert row["accuracy"]["value"] == 0 and row["accuracy"]["p_value"] == 1


def test_signed_ranks_are_scipys_and_equal_pairs_are_left_out():
    first, second = RNG.normal(size=40), RNG.normal(0.5, size=40)
    second[:5] = first[:5]
    found = signed_rank(first, second)
    theirs = stats.wilcoxon((first - second)[5:])
    assert found["p_value"] == theirs.pvalue and found["statistic"] == theirs.statistic
    assert found["equal"] == 5 and found["better"] + found["worse"] == 35
    assert found["better"] == (first > second).sum()


def test_runs_that_are_the_same_do_not_differ():
    f1 = np.array([0.2, np.nan, 0.7])
    (row,) = differences({"a": made(f1), "b": made(f1)}, 20)
    assert row["wilcoxon"] == {
        "statistic": 0.0, "p_value": 1.0, "better": 0, "worse": 0, "equal": 2, "holm": 1.0
    }  # fmt: skip
    assert row["f1_micro"]["holm"] == 1


def test_without_gold_only_predictions_are_compared():
    bare = made(np.full(4, np.nan), np.array([1.0, 0, 1, 1]))
    assert run_scores(bare, 5)["f1_micro"] is None and run_scores(bare, 5)["recall_micro"] is None
    (row,) = differences({"a": bare, "b": made(np.full(4, np.nan))}, 5)
    assert row["wilcoxon"] is None and row["f1_instance_mean"] is None
    assert row["accuracy"]["value"] == 0.25


def test_holm_is_the_sequential_procedure():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1] and holm([]) == [] and holm([0.2]) == [0.2]


def test_several_runs_are_adjusted_together():
    base = made(np.full(30, 0.3))
    better, same = made(RNG.integers(4, 9, 30) / 10), made(np.tile([0.2, 0.4], 15))
    rows = differences({"a": base, "b": better, "c": same}, 100)
    raw = [row["wilcoxon"]["p_value"] for row in rows]
    assert [row["wilcoxon"]["holm"] for row in rows] == pytest.approx(holm(raw))
    assert rows[0]["wilcoxon"]["holm"] < 0.001 and rows[1]["wilcoxon"]["holm"] > 0.5
