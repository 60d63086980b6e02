"""Comprehensiveness and sufficiency against values worked out on a toy batch, and their slopes."""

import dataclasses

import jax
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.objectives.faithfulness import (
    FaithfulnessObjective,
    comprehensiveness_loss,
    comprehensiveness_sums,
    sufficiency_loss,
    sufficiency_sums,
)

FULL = np.float32([[2, 0.5], [0.2, 1.2]])
WITHOUT = np.float32([[[1, 1], [1.5, 0]], [[-1, 2], [0.3, 0.1]]])
ALONE = np.float32([[[1.8, 0.2], [0, 0.4]], [[2.5, 0.1], [0.1, 2]]])
LABEL, ONES = np.array([0, 1]), np.ones(2, np.float32)
RELEASE = FaithfulnessObjective("margin", "margin", 1.0, 0.1, kl_per_class=True)
compiled_comprehensiveness = jax.jit(comprehensiveness_sums, static_argnums=0)
compiled_sufficiency = jax.jit(sufficiency_sums, static_argnums=0)


def comprehensiveness(criterion, rows=slice(None), weight=ONES, full=FULL, without=WITHOUT):
    objective = dataclasses.replace(RELEASE, comprehensiveness=criterion)
    return compiled_comprehensiveness(
        objective, full[rows], without[:, rows], LABEL[rows], weight[rows]
    )


def sufficiency(criterion, rows=slice(None), weight=ONES, full=FULL, alone=ALONE):
    objective = dataclasses.replace(RELEASE, sufficiency=criterion)
    return compiled_sufficiency(objective, full[rows], alone[:, rows], LABEL[rows], weight[rows])


@pytest.mark.parametrize(
    ("criterion", "by_k"),
    [("diff", [-0.9399428, -1.6660255]), ("margin", [0.2541331, 0.2575614])],
)
def test_comprehensiveness(criterion, by_k):
    sums = comprehensiveness(criterion)
    np.testing.assert_allclose(sums["comprehensiveness"] / sums["inputs"], by_k, atol=1e-6)
    np.testing.assert_allclose(comprehensiveness_loss(sums), np.mean(by_k), atol=1e-6)


@pytest.mark.parametrize(
    ("criterion", "by_k"),
    [
        ("diff", [0.0911205, -0.1442261]),
        ("margin", [0.1911205, 0]),
        ("mae", [0.1086331, 0.1442261]),
        ("mse", [0.0201041, 0.0216802]),
        ("kl", [0.0104370, 0.0241248]),
    ],
)
def test_sufficiency(criterion, by_k):
    sums = sufficiency(criterion)
    np.testing.assert_allclose(sums["sufficiency"] / sums["inputs"], by_k, atol=1e-6)
    np.testing.assert_allclose(sufficiency_loss(sums), np.mean(by_k), atol=1e-6)


def test_the_papers_divergence_is_not_divided_by_the_number_of_classes():
    paper = FaithfulnessObjective("margin", "kl", 1.0, 0.1, kl_per_class=False)
    sums = compiled_sufficiency(paper, FULL, ALONE, LABEL, ONES)
    np.testing.assert_allclose(sufficiency_loss(sums), 2 * 0.0172809, atol=1e-6)


CASES = [(comprehensiveness, c) for c in ("diff", "margin")] + [
    (sufficiency, c) for c in ("diff", "margin", "mae", "mse", "kl")
]


@pytest.mark.parametrize(("sums", "criterion"), CASES)
def test_sums_of_parts_add_up_and_rows_of_weight_0_are_not_there(sums, criterion):
    whole = sums(criterion)
    parts = jax.tree.map(np.add, sums(criterion, slice(0, 1)), sums(criterion, slice(1, 2)))
    kept = sums(criterion, weight=np.float32([1, 0]))
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-6)
        np.testing.assert_allclose(kept[name], sums(criterion, slice(0, 1))[name])


@pytest.mark.parametrize(("sums", "criterion"), CASES)
def test_gradients_flow_through_the_whole_text_and_the_masked_ones(sums, criterion):
    loss = comprehensiveness_loss if sums is comprehensiveness else sufficiency_loss
    slopes = jax.grad(
        lambda full, other: loss(sums(criterion, slice(None), ONES, full, other)), (0, 1)
    )
    for slope in slopes(FULL, WITHOUT if sums is comprehensiveness else ALONE):
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() > 0


def test_a_margin_that_is_reached_has_no_slope():
    far = np.float32([[[-2, 2], [2, -2]]])  # the label is lost without the rationale
    near = np.float32([[[9, -9], [-9, 9]]])  # and certain from it alone
    for sums, other in ((comprehensiveness, far), (sufficiency, near)):
        kind = sums.__name__

        def total(full, masked, sums=sums, kind=kind):
            return sums("margin", slice(None), ONES, full, masked)[kind].sum()

        assert total(FULL, other) == 0
        for slope in jax.grad(total, (0, 1))(FULL, other):
            np.testing.assert_array_equal(slope, np.zeros_like(slope))


def test_a_rationale_that_is_the_whole_text_has_no_slope_in_mae():
    def total(alone):
        return sufficiency("mae", slice(None), ONES, FULL, alone)["sufficiency"].sum()

    slope = jax.grad(total)(FULL[None])
    np.testing.assert_array_equal(slope, np.zeros_like(slope))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("comprehensiveness", "kl"),
        ("sufficiency", "jsd"),
        ("comprehensiveness_margin", -1.0),
        ("sufficiency_margin", float("nan")),
    ],
)
def test_a_bad_objective_is_one_clear_line(field, value):
    with pytest.raises(UserError, match=field):
        dataclasses.replace(RELEASE, **{field: value})
