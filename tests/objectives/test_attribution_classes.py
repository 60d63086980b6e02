"""L2E's five classes of an attribution and the loss on them."""

import jax
import numpy as np

from n2r_jax.objectives.attribution_classes import (
    attribution_class_loss,
    attribution_class_sums,
    attribution_classes,
    class_scores,
)

VALID = np.float32([[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]])
SCORES = np.float32([[-3.0, -1, 0, 1, 4, 9], [2, 2, -5, -5, 0, 0]])
LOGITS = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
TARGET = np.array([[0, 1, 2, 3, 4, 2], [3, 3, 2, 2, 2, 2]])


def sums(logits=LOGITS, weight=None, rows=slice(None)):
    weight = np.ones(2, np.float32) if weight is None else weight
    return jax.jit(attribution_class_sums)(logits[rows], TARGET[rows], VALID[rows], weight[rows])


def test_classes_lie_about_the_means_of_an_inputs_own_signs():
    np.testing.assert_array_equal(jax.jit(attribution_classes)(SCORES, VALID), TARGET)


def test_an_input_of_one_sign_has_no_class_of_the_other():
    scores = np.float32([[1, 2, 6], [-1, -2, -6]])
    found = jax.jit(attribution_classes)(scores, np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(found, [[3, 3, 4], [1, 1, 0]])


def test_the_loss_is_the_mean_over_real_units_and_adds_up():
    log_p = np.asarray(jax.nn.log_softmax(LOGITS))
    own = np.take_along_axis(log_p, np.asarray(TARGET)[..., None], axis=2)[..., 0]
    expected = -own[np.asarray(VALID) > 0].mean()
    np.testing.assert_allclose(attribution_class_loss(sums()), expected, rtol=1e-6)
    added = jax.tree.map(np.add, sums(rows=slice(0, 1)), sums(rows=slice(1, 2)))
    np.testing.assert_allclose(attribution_class_loss(added), expected, rtol=1e-6)


def test_padding_may_hold_anything_and_no_unit_is_0():
    wild = np.where((VALID > 0)[..., None], LOGITS, np.float32(np.nan))
    loss = jax.jit(jax.value_and_grad(lambda logits: attribution_class_loss(sums(logits))))
    for got, expected in zip(loss(wild), loss(LOGITS), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert attribution_class_loss(sums(weight=np.zeros(2, np.float32))) == 0


def test_a_class_stands_for_a_score_from_minus_2_to_2():
    logits = jax.nn.one_hot(TARGET, 5)
    np.testing.assert_array_equal(
        class_scores(logits, VALID), [[-2, -1, 0, 1, 2, 0], [1, 1, 0, 0, 0, 0]]
    )
