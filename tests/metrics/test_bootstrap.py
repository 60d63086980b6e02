"""Bootstrap: reproducible, of the right width, and sharper when runs are paired."""

import numpy as np
import pytest

from n2r_jax.metrics.bootstrap import bootstrap, bootstrap_mean, mean_of_sums, paired_difference


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(50)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values) != bootstrap_mean(values, seed=1)


def test_interval_of_a_mean_has_the_width_of_the_normal_one():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    interval = bootstrap_mean(values, resamples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        interval = bootstrap_mean((rng.random(80) < 0.3).astype(float), resamples=300, seed=seed)
        covered += interval.low <= 0.3 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_function_of_sums_equals_resampling_documents_by_hand():
    table = np.random.default_rng(0).integers(1, 9, size=(20, 2))
    interval = bootstrap(lambda sums: sums[:, 0] / sums[:, 1], table, resamples=200, seed=5)
    rng = np.random.default_rng(5)
    by_hand = []
    for _ in range(200):
        rows = table[rng.integers(20, size=20)]
        by_hand.append(rows[:, 0].sum() / rows[:, 1].sum())
    np.testing.assert_allclose(
        [interval.low, interval.high], np.percentile(by_hand, [2.5, 97.5]), rtol=1e-12
    )


def test_documents_that_do_not_count_are_left_out():
    values = np.array([1.0, np.nan, 3.0])
    assert bootstrap_mean(values).value == 2
    assert np.isnan(bootstrap_mean(np.array([np.nan])).low)


def test_equal_documents_have_no_spread():
    interval = bootstrap_mean(np.full(10, 0.7))
    assert interval.low == pytest.approx(0.7) and interval.high == pytest.approx(0.7)


def test_pairing_sees_a_small_steady_difference():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=100)
    ones = np.ones(100)
    first, second = (
        np.stack([hard + shift + 0.01 * rng.normal(size=100), ones], axis=1) for shift in (0.1, 0)
    )
    difference = paired_difference(mean_of_sums, first, second)
    assert difference.low > 0.09 and difference.high < 0.11
    assert difference.p_value == pytest.approx(2 / 1001)
    apart = bootstrap(mean_of_sums, first), bootstrap(mean_of_sums, second)
    assert apart[0].low < apart[1].high
    assert paired_difference(mean_of_sums, first, first).p_value == 1


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(ValueError, match="no document"):
        bootstrap_mean(np.array([]))
    with pytest.raises(ValueError, match="differ"):
        paired_difference(mean_of_sums, np.ones((3, 2)), np.ones((4, 2)))
