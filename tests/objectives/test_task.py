"""Cross-entropy with weights by class."""

import jax
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.objectives.rationale import task_sums
from n2r_jax.objectives.task import class_weighted_task_sums

compiled = jax.jit(class_weighted_task_sums, static_argnums=3)
LOGITS = np.float32([[2, 0.5], [0.2, 1.2], [1, 0]])
LABEL, WEIGHT = np.array([0, 1, 1]), np.float32([1, 1, 0])


def test_weights_of_1_are_the_plain_cross_entropy():
    plain = task_sums(LOGITS, LABEL, WEIGHT)
    np.testing.assert_allclose(plain["cross_entropy"] / plain["inputs"], 0.2573375, atol=1e-6)
    weighted = compiled(LOGITS, LABEL, WEIGHT, (1, 1))
    for name, value in plain.items():
        np.testing.assert_array_equal(weighted[name], value)


def test_the_cross_entropy_is_weighted_but_inputs_are_counted():
    found = compiled(LOGITS, LABEL, WEIGHT, (0.1, 1))
    np.testing.assert_allclose(found["cross_entropy"], 0.1 * 0.2014133 + 0.3132617, atol=1e-6)
    np.testing.assert_allclose(found["class_weights"], 1.1, rtol=1e-6)
    assert (found["inputs"], found["correct"]) == (2, 2)
    parts = [compiled(LOGITS[r], LABEL[r], WEIGHT[r], (0.1, 1)) for r in (slice(0, 1), slice(1, 3))]
    for name, value in jax.tree.map(np.add, *parts).items():
        np.testing.assert_allclose(value, found[name], rtol=1e-6)


@pytest.mark.parametrize("weights", [(1.0,), (1, 1, 1), (0, 1), (float("nan"), 1)])
def test_bad_class_weights_are_one_clear_line(weights):
    with pytest.raises(UserError, match="class weights"):
        class_weighted_task_sums(LOGITS, LABEL, WEIGHT, weights)
