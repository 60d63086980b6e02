"""Baselines: analytic values equal simulated ones, and nothing beats the ceiling."""

import dataclasses
import itertools

import numpy as np
import pytest

from n2r_jax.metrics.baselines import (
    baseline_rows,
    ceiling_instance_mean,
    ceiling_micro,
    random_instance_mean,
    random_micro,
    select_all,
)
from n2r_jax.metrics.overlap import OverlapCounts, instance_mean, micro

LENGTHS = np.array([5, 9, 14, 20, 30, 12])
GOLD = np.array([1, 4, 2, 9, 3, 0])


def counts_of(selected, true_positives=None):
    hits = np.zeros_like(selected) if true_positives is None else true_positives
    return OverlapCounts(selected, GOLD, hits, LENGTHS)


def random_mask(rng, size):
    """Counts of a mask drawn uniformly among those of `size` units over the whole corpus."""
    owner = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    marked = np.concatenate([np.arange(n) < g for n, g in zip(LENGTHS, GOLD, strict=True)])
    chosen = rng.permutation(len(owner))[:size]
    selected = np.bincount(owner[chosen], minlength=len(LENGTHS))
    hits = np.bincount(owner[chosen], weights=marked[chosen], minlength=len(LENGTHS))
    return counts_of(selected, hits.astype(np.int64))


@pytest.mark.parametrize("size", [1, 14, 60, 90])
def test_random_micro_is_the_mean_of_random_masks(size):
    rng = np.random.default_rng(0)
    simulated = [micro(random_mask(rng, size)) for _ in range(4000)]
    analytic = random_micro(random_mask(rng, size))
    np.testing.assert_allclose(analytic, np.mean(simulated, axis=0), atol=0.008)
    gold, share = GOLD.sum() / LENGTHS.sum(), size / LENGTHS.sum()
    np.testing.assert_allclose(analytic, [gold, share, 2 * gold * share / (gold + share)])


def test_random_instance_mean_is_the_mean_of_random_masks_of_equal_share():
    rng = np.random.default_rng(0)
    lengths, gold = np.array([10, 20, 40]), np.array([3, 4, 20])
    size = lengths * 3 // 10
    hits = rng.hypergeometric(gold, lengths - gold, size, size=(20000, 3))
    simulated = [
        instance_mean(OverlapCounts(size, gold, row.astype(np.int64), lengths))
        for row in hits[:4000]
    ]
    analytic = random_instance_mean(OverlapCounts(size, gold, size * 0, lengths))
    np.testing.assert_allclose(analytic, np.mean(simulated, axis=0), atol=0.01)


def test_select_all_is_a_model_that_selects_all():
    units = np.arange(LENGTHS.max())
    valid, gold = units < LENGTHS[:, None], units < GOLD[:, None]
    everything = OverlapCounts.from_masks(valid, gold, valid)
    np.testing.assert_array_equal(select_all(counts_of(GOLD)).table, everything.table)


@pytest.mark.parametrize("size", [1, 5, 19, 20, 40, 89])
def test_no_random_mask_beats_the_ceiling(size):
    rng = np.random.default_rng(1)
    for _ in range(300):
        counts = random_mask(rng, size)
        assert micro(counts).f1 <= ceiling_micro(counts).f1 + 1e-12
        assert instance_mean(counts).f1 <= ceiling_instance_mean(counts) + 1e-12


@pytest.mark.parametrize("size", range(0, 19))
def test_the_instance_mean_ceiling_is_reached_up_to_the_gold_and_holds_beyond(size):
    gold, lengths = np.array([1, 3, 4]), np.array([3, 5, 10])
    best = 0.0
    for selected in itertools.product(*(range(length + 1) for length in lengths)):
        if sum(selected) == size:
            picked = np.array(selected)
            counts = OverlapCounts(picked, gold, np.minimum(picked, gold), lengths)
            best = max(best, float(instance_mean(counts).f1))
    bound = ceiling_instance_mean(OverlapCounts(np.array([size, 0, 0]), gold, gold * 0, lengths))
    assert bound == pytest.approx(best) if size <= gold.sum() else bound >= best - 1e-12
    assert bound - best < 0.05


def test_ceiling_is_1_at_the_size_of_the_gold():
    counts = counts_of(GOLD)
    assert ceiling_micro(counts) == (1, 1, 1)
    assert ceiling_instance_mean(counts) == pytest.approx(1)


def test_published_baselines_are_reproduced():
    """Beer-Appearance: g = 18.5 %, S = 14.8 % (select-all 31.2, random 16.4, ceiling 88.9)."""
    one = dataclasses.replace(
        counts_of(GOLD),
        **{
            name: np.array([value])
            for name, value in (
                ("selected", 148),
                ("gold", 185),
                ("true_positives", 0),
                ("length", 1000),
            )
        },
    )
    rows = baseline_rows(one)["micro"]
    printed = [round(100 * float(rows[name].f1), 1) for name in ("select_all", "random", "ceiling")]
    assert printed == [31.2, 16.4, 88.9]


def test_without_gold_every_baseline_is_0():
    counts = OverlapCounts(*np.array([[2, 0, 0, 5], [1, 0, 0, 4]]).T)
    for rows in baseline_rows(counts).values():
        for score in rows.values():
            assert (score if isinstance(score, float) else score.f1) == 0
