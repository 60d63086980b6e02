"""Terms of the losses against their formulas, and what padding and weights may not change."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.objectives.rationale import (
    Objective,
    norm_sums,
    omega,
    rationale_sums,
    task_sums,
)

RELEASE = Objective(0.2, 11.0, 12.0, 0.9, 1.0, "batch", "mean", max_length=6)
PAPER = dataclasses.replace(RELEASE, sparsity_per="input", continuity="sum")
MASK = jnp.asarray([[1, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0]], jnp.float32)
UNITS = jnp.asarray([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], jnp.float32)
ONES = jnp.ones(2)


def sums(objective, mask=MASK, units=UNITS, weight=ONES):
    return rationale_sums(objective, mask, units, units, weight)


def test_release_is_one_ratio_and_a_mean_over_padded_positions():
    expected = 11 * abs(4 / 9 - 0.2) + 12 * (3 + 2) / (2 * 5)
    np.testing.assert_allclose(omega(RELEASE, sums(RELEASE)), expected, rtol=1e-6)


def test_paper_is_equation_5_averaged_over_inputs():
    first = 11 * abs(3 / 6 - 0.2) + 12 * 3
    second = 11 * abs(1 / 3 - 0.2) + 12 * 2
    np.testing.assert_allclose(omega(PAPER, sums(PAPER)), (first + second) / 2, rtol=1e-6)


@pytest.mark.parametrize("objective", [RELEASE, PAPER])
def test_more_padding_changes_nothing(objective):
    pad = [(0, 0), (0, 4)]
    padded = sums(objective, jnp.pad(MASK, pad), jnp.pad(UNITS, pad))
    for name, value in sums(objective).items():
        np.testing.assert_array_equal(padded[name], value)


@pytest.mark.parametrize("objective", [RELEASE, PAPER])
def test_a_row_of_weight_0_is_as_if_it_were_not_there(objective):
    weight = jnp.asarray([1.0, 0.0])
    one = slice(0, 1)
    alone = rationale_sums(objective, MASK[one], UNITS[one], UNITS[one], ONES[one])
    for name, value in sums(objective, weight=weight).items():
        np.testing.assert_allclose(value, alone[name])
    logits, label = jnp.asarray([[1.0, 2.0], [5.0, -5.0]]), jnp.asarray([1, 1])
    whole = task_sums(logits, label, weight)
    for name, value in task_sums(logits[one], label[one], ONES[one]).items():
        np.testing.assert_allclose(whole[name], value)


@pytest.mark.parametrize("objective", [RELEASE, PAPER])
def test_sums_of_parts_add_up_to_the_loss_of_the_whole(objective):
    parts = [
        rationale_sums(objective, MASK[i : i + 1], UNITS[i : i + 1], UNITS[i : i + 1], ONES[:1])
        for i in range(2)
    ]
    added = jax.tree.map(jnp.add, *parts)
    np.testing.assert_allclose(omega(objective, added), omega(objective, sums(objective)))


def test_equal_neighbours_have_no_slope():
    flat = jnp.zeros((1, 5))
    ones = jnp.ones((1, 5))

    def transitions(mask):
        return rationale_sums(RELEASE, mask, ones, ones, jnp.ones(1))["transitions"]

    np.testing.assert_array_equal(jax.grad(transitions)(flat), jnp.zeros((1, 5)))
    one = flat.at[0, 2].set(1.0)
    np.testing.assert_array_equal(jax.grad(transitions)(one), [[0, -1, 2, -1, 0]])


def test_norm_of_a_zero_representation_has_a_finite_slope():
    zeros = jnp.zeros((2, 3))
    slope = jax.grad(lambda r: norm_sums(r, ONES)["log_norm"])(zeros)
    assert np.isfinite(np.asarray(slope)).all()
    got = norm_sums(jnp.asarray([[3.0, 4.0], [0.0, 2.0]]), ONES)
    np.testing.assert_allclose(got["norm"], 7.0)
    np.testing.assert_allclose(got["log_norm"], np.log(5 + 1e-6) + np.log(2 + 1e-6), rtol=1e-6)
