"""What a page holds of a text: the run's own outputs, the gold, and what was not read."""

import numpy as np
import pytest

from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.evaluate import Evaluation, run_on
from n2r_jax.inference import Outputs, TrainedRun
from n2r_jax.inputs import WordInputs
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
    assert long["gold"] == [30, 32] and "unread" not in long["runs"][0]
    assert bare["tokens"] == "fine staff" and "gold" not in bare and "unread" not in bare
    assert none["gold"] == [] and "second" not in none
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


def evaluation_of(record, max_length, mask, probabilities):
    """Of one text or question; a row of mask and of probabilities for each of its rows."""
    inputs = WordInputs(Vocabulary(("<unknown>", "a"), True), np.zeros((2, 3), np.float32))
    texts = inputs.encode([record], max_length=max_length, too_long="truncate", name="made")
    mask, probabilities = np.array(mask), np.array(probabilities)
    outputs = Outputs(mask.astype(np.float32), mask, probabilities, np.ones(len(mask)))
    return Evaluation(None, "made", [record], texts, outputs)


def test_of_a_pair_that_was_cut_the_gap_is_said_to_be_unread():
    record = Record("p", tuple("abcdefgh"), 0, (1, 0, 0, 0, 0, 0, 1, 1), second=5)
    evaluation = evaluation_of(record, 5, [[1, 0, 0, 1, 0]], [[0.2, 0.8]])
    (text,) = examples([evaluation], 1)
    assert text["tokens"] == "a b c d e f g" and text["second"] == 5 and text["unread"] == 1
    (run,) = text["runs"]
    assert run["mask"] == [0, 1, 5, 6] and run["unread"] == [3, 5] and text["gold"] == [0, 1, 6, 7]
    assert run["f1"] == 0.5 and run["label"] == 1


def test_of_a_question_the_predicted_answers_rationale_is_shown():
    choices = (("x",), ("y", "z"))
    record = Record("q", ("which", "one", "?"), 0, (0, 1, 0), choices=choices)
    rows = [[0, 1, 0, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1, 0]]  # Q: which one ? A: ...
    evaluation = evaluation_of(record, 7, rows, [[0.1, 0.9]] * 2)
    (text,) = examples([evaluation], 1)
    assert text["tokens"] == "which one ?" and text["choices"] == ["x", "y z"]
    (run,) = text["runs"]
    assert run["label"] == 1 and run["mask"] == [1, 3] and run["f1"] == 0.4
    assert run["answer"] == [0, 1]
