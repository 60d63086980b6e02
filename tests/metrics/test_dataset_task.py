"""Task metrics by data set."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from n2r_jax.errors import UserError
from n2r_jax.metrics.dataset_task import TASK_METRIC, binary_f1, dataset_task_metric

LABELS, PREDICTED = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [("sst", 0.6), ("movies", (1 / 2 + 2 / 3) / 2), ("stormfront", 2 / 3)],
)
def test_each_data_set_has_its_own(dataset, expected):
    found = dataset_task_metric(dataset, LABELS, PREDICTED, classes=2)
    assert found == pytest.approx(expected)


def test_binary_f1_is_that_of_class_1():
    assert binary_f1(LABELS, PREDICTED) == pytest.approx(f1_score(LABELS, PREDICTED))
    assert binary_f1(np.zeros(3), np.zeros(3)) == 0


def test_the_ten_data_sets_and_no_other():
    assert len(TASK_METRIC) == 10
    with pytest.raises(UserError, match=r"data set .*'imdb'.* sst, movies"):
        dataset_task_metric("imdb", LABELS, PREDICTED, classes=2)
