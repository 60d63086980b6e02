"""Plausibility against values worked out by hand, and batches in which nothing is marked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.objectives.plausibility import (
    PlausibilityObjective,
    plausibility_loss,
    plausibility_sums,
)

CRITERIA = ("bce", "kl", "linear", "linear_margin")
SCORES = np.float32([[0, 2, -1, 0.5], [0, -0.3, 0.4, 7], [3, 3, 3, 3]])
GOLD = np.float32([[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
VALID = np.float32([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])
ANNOTATED, ONES = np.float32([1, 1, 0]), np.ones(3, np.float32)
compiled = jax.jit(plausibility_sums, static_argnums=0)


def objective(criterion):
    return PlausibilityObjective(criterion, margin=0.1)


def sums(criterion, scores=SCORES, gold=GOLD, valid=VALID, annotated=ANNOTATED, weight=ONES):
    return compiled(objective(criterion), scores, gold, valid, annotated, weight)


def loss(criterion, *args, **named):
    return plausibility_loss(objective(criterion), sums(criterion, *args, **named))


def test_bce_weighs_the_marked_units_by_the_whole_batch():
    found = sums("bce")
    assert (found["annotated_units"], found["gold_units"]) == (7, 3)
    np.testing.assert_allclose(loss("bce"), 0.5341817, atol=1e-6)


def test_kl_is_from_the_shared_out_marks_to_the_softmax_of_an_input():
    def softmax(s):
        return np.exp(s) / np.exp(s).sum()

    first, second = softmax([0, 2, -1, 0.5]), softmax([0, -0.3, 0.4])
    expected = [0.5 * np.log(0.5 / first[1]) + 0.5 * np.log(0.5 / first[3]), -np.log(second[2])]
    np.testing.assert_allclose(loss("kl"), np.mean(expected), rtol=1e-5)


def test_linear_and_its_lower_bound():
    signed = np.array([0, -2, -1, -0.5, 0, -0.3, -0.4])
    np.testing.assert_allclose(loss("linear"), signed.mean(), rtol=1e-6)
    bounded = np.maximum(-0.1, signed) + 0.1
    np.testing.assert_allclose(loss("linear_margin"), bounded.mean(), rtol=1e-6)
    slope = jax.grad(lambda s: loss("linear_margin", s))(SCORES)
    beyond = np.zeros(SCORES.shape, bool)
    beyond[0, 1:], beyond[1, 1:3] = True, True
    np.testing.assert_array_equal(slope[beyond], 0)
    np.testing.assert_allclose(slope[:2, 0], 1 / 7, rtol=1e-6)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_sums_of_parts_add_up_to_the_loss_of_the_whole(criterion):
    parts = [
        sums(criterion, *(array[row : row + 1] for array in (SCORES, GOLD, VALID, ANNOTATED, ONES)))
        for row in range(3)
    ]
    added = jax.tree.map(lambda *terms: sum(terms), *parts)
    total = plausibility_loss(objective(criterion), added)
    np.testing.assert_allclose(total, loss(criterion), rtol=1e-6)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_padding_and_inputs_without_marks_change_nothing_whatever_they_hold(criterion):
    counts = (VALID * ANNOTATED[:, None]) > 0
    pad = ((0, 0), (0, 3))

    def padded(scores, wild):
        kept = jnp.pad(jnp.where(counts, scores, wild), pad, constant_values=wild)
        return loss(criterion, kept, np.pad(GOLD, pad, constant_values=1), np.pad(VALID, pad))

    expected, slope = jax.jit(jax.value_and_grad(lambda s: loss(criterion, s)))(SCORES)
    compiled_padded = jax.jit(jax.value_and_grad(padded))
    for wild in (np.nan, np.inf, 1e30):
        value, got = compiled_padded(SCORES, np.float32(wild))
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        np.testing.assert_allclose(got, slope, rtol=1e-5, atol=1e-7)
    weight = np.float32([1, 0, 1])
    without = loss(criterion, annotated=ANNOTATED * weight)
    np.testing.assert_allclose(loss(criterion, weight=weight), without)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("case", ["nothing annotated", "no real unit", "nothing marked"])
def test_without_a_mark_the_loss_and_its_slope_are_0(criterion, case):
    given = {
        "nothing annotated": {"annotated": np.zeros(3, np.float32)},
        "no real unit": {"valid": np.zeros_like(VALID)},
        "nothing marked": {"gold": np.zeros_like(GOLD)},
    }[case]
    value, slope = jax.jit(jax.value_and_grad(lambda s: loss(criterion, s, **given)))(SCORES)
    if case == "nothing marked" and criterion.startswith("linear"):
        assert np.isfinite(slope).all()
        return
    assert value == 0
    np.testing.assert_array_equal(slope, np.zeros_like(SCORES))


def test_the_loss_of_totals_has_finite_slopes_too():
    """The training step differentiates the loss by the sums, zero counts included."""
    for criterion in CRITERIA:
        totals = sums(criterion, annotated=np.zeros(3, np.float32))
        slopes = jax.grad(lambda t, c=criterion: plausibility_loss(objective(c), t))(totals)
        assert all(np.isfinite(slope) for slope in slopes.values())


@pytest.mark.parametrize(("criterion", "margin"), [("mse", 0.1), ("bce", -0.1)])
def test_a_bad_objective_is_one_clear_line(criterion, margin):
    with pytest.raises(UserError, match="plausibility"):
        PlausibilityObjective(criterion, margin)
