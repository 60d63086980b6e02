"""What a page holds of a text: the run's own outputs, the gold, and what was not read."""

import numpy as np
import pytest

from n2r_jax.evaluate import run_on
from n2r_jax.inference import TrainedRun
from n2r_jax.report.examples import examples, input_f1
from tests import tiny
from tests.score.eraser_files import write_lines

ROWS = [
    {
        "id": "long",
        "tokens": ["word"] * 31 + ["a b", "c"] * 3,
        "label": "positive",
        "spans": [[30, 37]],
    },
    {"id": "bare", "text": "fine staff", "label": "negative"},
    {"id": "none", "tokens": ["so", "so"], "label": "negative", "rationale": [0, 0]},
]


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Masks are drawn: at arg-max the tiny model selects hardly anything."""
    path = write_lines(tmp_path_factory.mktemp("examples") / "rows.jsonl", ROWS)
    return run_on(TrainedRun(tiny.trained_run()), str(path), sample_seed=4)


def test_a_text_stands_there_up_to_the_last_token_that_was_read(evaluation):
    long, bare, none = examples([evaluation], 10)
    assert long["tokens"] == ROWS[0]["tokens"][:32] and long["unread"] == 5
    assert long["gold"] == [30, 32] and long["runs"][0]["read"] == 32
    assert bare["tokens"] == "fine staff" and "gold" not in bare and "unread" not in bare
    assert none["gold"] == [] and "read" not in none["runs"][0]
    assert [text["label"] for text in (long, bare, none)] == [1, 0, 0]
    assert len(examples([evaluation], 2)) == 2


def test_labels_and_masks_are_the_runs_own(evaluation):
    outputs = evaluation.outputs
    for index, text in enumerate(examples([evaluation], 10)):
        (run,) = text["runs"]
        mask = np.zeros(32, int)
        for start, end in zip(run["mask"][::2], run["mask"][1::2], strict=True):
            mask[start:end] = 1
        np.testing.assert_array_equal(mask, outputs.mask[index])
        assert run["label"] == outputs.probabilities[index].argmax()
        assert run["probability"] == pytest.approx(outputs.probabilities[index].max(), abs=1e-3)
    assert outputs.mask.sum() > 0


def test_f1_is_there_where_there_is_something_to_find(evaluation):
    f1 = input_f1(evaluation)
    mask = evaluation.outputs.mask[0]
    assert f1[0] == pytest.approx(2 * mask[30:32].sum() / (mask.sum() + 2))
    assert np.isnan(f1[1])
    assert f1[2] == 0 if evaluation.outputs.mask[2].any() else np.isnan(f1[2])
    assert [("f1" in text["runs"][0]) for text in examples([evaluation], 3)] == [
        not np.isnan(value) for value in f1
    ]
