"""A predictor whose say is known, so that all scores are."""

import numpy as np
import pytest

from n2r_jax.metrics.faithfulness_report import DEFINITIONS, faithfulness_report

SCORES = np.array([[3.0, 2, 1, 0, -1], [0, 1, 2, 9, 9]])
VALID = np.array([[1.0, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
SELECTED = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0]])


def only_the_first(mask):
    """Sure of class 1 as long as it sees a text's best unit (the first, the third)."""
    sees = np.array([mask[0, 0], mask[1, 2]])
    positive = np.where(sees > 0, 0.9, 0.5)
    return np.stack([1 - positive, positive], 1)


def test_what_the_best_unit_alone_decides():
    found = faithfulness_report(only_the_first, SCORES, SELECTED, VALID, (20, 60))
    np.testing.assert_allclose(found["comprehensiveness"]["per_k"], [0.4, 0.4])
    np.testing.assert_allclose(found["sufficiency"]["per_k"], [0, 0], atol=1e-12)
    assert found["comprehensiveness"]["aopc_k"] == pytest.approx(0.4)
    assert found["comprehensiveness"]["aopc_k_plus_1"] == pytest.approx(0.8 / 3)
    assert found["csd"]["selected"] == pytest.approx(0.4)
    assert found["log_odds"]["selected"] == pytest.approx(np.log(0.5 / 0.9))


def test_of_a_rationale_that_is_all_there_is_nothing_else_could_suffice():
    found = faithfulness_report(
        only_the_first, SCORES, SELECTED, VALID, (20, 60), faithful_to="rationale"
    )
    assert found["k"] == [100] and found["sufficiency"]["per_k"] == [0]
    assert found["comprehensiveness"]["per_k"] == pytest.approx([0.4])
    assert found["comprehensiveness"]["aopc"] == pytest.approx(0.2)  # half: UNIREX's for FRESH
    assert "nothing" in found["definitions"]["comprehensiveness"]
    by_k = faithfulness_report(
        only_the_first, -SCORES, SELECTED, VALID, (20, 60), faithful_to="top_k", denominator="k"
    )
    # The worst unit alone says as much as nothing; of the first text 60 % of the units is no more.
    assert by_k["comprehensiveness"]["per_k"] == pytest.approx([0, 0])
    assert by_k["comprehensiveness"]["selected"] == pytest.approx(0.4)
    assert by_k["comprehensiveness"]["aopc"] == by_k["comprehensiveness"]["aopc_k"]


def test_every_score_is_defined():
    found = faithfulness_report(only_the_first, SCORES, SELECTED, VALID, (20,))
    named = {"aopc", "aopc_k", "aopc_k_plus_1", "selected", *found} - {"k", "definitions"}
    assert named == set(DEFINITIONS)


def test_a_predictor_that_is_certain_gives_finite_scores():
    certain = lambda mask: np.tile([[0.0, 1.0]], (2, 1))  # noqa: E731
    found = faithfulness_report(certain, SCORES, SELECTED, VALID, (20,))
    assert found["log_odds"]["aopc_k"] == 0 and found["csd"]["aopc_k"] == 0
