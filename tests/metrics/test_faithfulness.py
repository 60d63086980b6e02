"""Comprehensiveness, sufficiency and log-odds on a toy batch, and the two areas."""

import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.metrics.faithfulness import aopc, csd, log_odds, predicted_classes, probability_drop

FULL = np.array([[2, 0.5], [0.2, 1.2]])
WITHOUT = np.array([[[1, 1], [1.5, 0]], [[-1, 2], [0.3, 0.1]]])
ALONE = np.array([[[1.8, 0.2], [0, 0.4]], [[2.5, 0.1], [0.1, 2]]])


def test_values_of_the_predicted_class():
    np.testing.assert_allclose(probability_drop(FULL, WITHOUT)[0].mean(), 0.4331038, atol=1e-6)
    np.testing.assert_allclose(probability_drop(FULL, ALONE)[0].mean(), 0.0589635, atol=1e-6)
    np.testing.assert_allclose(log_odds(FULL, WITHOUT)[0].mean(), -0.9399428, atol=1e-6)


def test_another_class_may_be_named_and_two_classes_mirror_each_other():
    other = 1 - predicted_classes(FULL)
    np.testing.assert_allclose(
        probability_drop(FULL, WITHOUT, other), -probability_drop(FULL, WITHOUT), rtol=1e-9
    )


def test_the_whole_text_drops_nothing_and_extreme_logits_are_finite():
    assert (probability_drop(FULL, FULL[None]) == 0).all()
    huge = np.array([[1e4, -1e4]])
    np.testing.assert_array_equal(probability_drop(huge, -huge[None]), [[1]])
    assert log_odds(huge, -huge[None]) == -2e4


def test_areas_differ_by_their_denominator_alone():
    per_k = np.array([[0.1, 0.3], [0.2, 0.4], [0.3, 0.5], [0.4, 0.6], [0.5, 0.7]])
    np.testing.assert_allclose(aopc(per_k, "k"), [0.3, 0.5])
    np.testing.assert_allclose(aopc(per_k, "k_plus_1") * 6 / 5, [0.3, 0.5])
    np.testing.assert_allclose(csd(aopc(per_k, "k"), [0.1, 0.1]), [0.2, 0.4])


def test_bad_input_is_one_clear_line():
    with pytest.raises(UserError, match="k_plus_1, k"):
        aopc(np.ones(5), "samek")
    with pytest.raises(UserError, match="at least one"):
        aopc(np.ones((0, 4)), "k")
    with pytest.raises(ValueError, match="differ"):
        probability_drop(FULL, WITHOUT[:, :1])
