"""The curve of F1 by sparsity: made of the masks that the rest of the project selects."""

import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax import masks
from n2r_jax.metrics.overlap import OverlapCounts, micro, sparsity
from n2r_jax.metrics.sparsity_curve import PERCENTAGES, sparsity_curve

RNG = np.random.default_rng(0)
LENGTHS = np.array([1, 2, 7, 19, 20])
VALID = np.arange(20) < LENGTHS[:, None]
GOLD = (RNG.random(VALID.shape) < 0.3) & VALID
SCORES = np.round(RNG.random(VALID.shape), 1).astype(np.float32)  # with ties


def test_masks_are_the_top_k_percent_of_each_text():
    curve = sparsity_curve(SCORES, GOLD, VALID)
    scores, valid = jnp.asarray(SCORES), jnp.asarray(VALID, jnp.float32)
    for index, mask in enumerate(masks.top_k_percent(scores, valid, PERCENTAGES)):
        counts = OverlapCounts.from_masks(np.asarray(mask), GOLD, VALID)
        found = [curve[name][index] for name in ("precision", "recall", "f1", "sparsity")]
        assert found == pytest.approx([*map(float, micro(counts)), sparsity(counts)])


def test_at_its_ends_it_meets_the_baselines():
    curve = sparsity_curve(GOLD + 0.5, GOLD, VALID)
    assert curve["sparsity"][-1] == 1 and curve["f1"][-1] == pytest.approx(curve["random"][-1])
    assert all(
        f1 <= ceiling + 1e-12 for f1, ceiling in zip(curve["f1"], curve["ceiling"], strict=True)
    )
    wild = np.where(VALID, SCORES, np.nan)
    assert sparsity_curve(wild, np.where(VALID, GOLD, 1), VALID) == sparsity_curve(
        SCORES, GOLD, VALID
    )
