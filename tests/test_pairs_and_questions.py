"""Runs on pairs of texts and on questions with choices: trained, evaluated, explained, exported."""

import json
import random

import numpy as np
import pytest

import n2r_jax
from n2r_jax.cli import main
from n2r_jax.errors import UserError
from n2r_jax.evaluate import evaluate
from n2r_jax.train import train
from tests import tiny
from tests.models import tiny_encoder

COLOURS = ("red", "blue", "green", "grey")
SHORT = {"training__epochs": 1, "unirex__k": (20, 50), "data__max_length": 24}


def pair(rng):
    first, second = rng.sample(COLOURS, 2)
    tokens = ["the", "room", "is", first]
    return {"tokens": tokens, "second": f"it is {second}", "rationale": [0, 0, 0, 1]}


def question(rng):
    colours = rng.sample(COLOURS, 3)
    return {
        "text": f"which is {colours[0]} ?",
        "choices": rng.sample(colours, 3),
        "rationale": [0, 0, 1, 0],
    }


def write(folder, make, sizes=(24, 10, 10)):
    """Files of rows, and the fields of a config that reads them."""
    rng, fields = random.Random(0), {"data__name": "files"}
    for split, size in zip(("train", "dev", "test"), sizes, strict=True):
        rows = [make(rng) | {"id": f"{split}{i}", "label": i % 3} for i in range(size)]
        path = folder / f"{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        fields[f"data__{split}"] = str(path)
    return fields


@pytest.fixture(scope="module")
def question_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    files = write(folder, question)
    train(tiny.config(method="dlm_fp", **SHORT, **files), str(folder / "run"))
    return folder


@pytest.mark.parametrize("method", ["n2r", "aa_f"])
def test_other_methods_train_on_questions_as_they_are(tmp_path, method):
    config = tiny.config(method=method, **SHORT, **write(tmp_path, question, (10, 4, 4)))
    train(config, str(tmp_path / "run"))
    (line,) = [line for line in tiny.lines(tmp_path / "run") if line["split"] == "dev"]
    assert line["accuracy"] in (0, 0.25, 0.5, 0.75, 1)


def test_a_question_is_scored_once_and_its_rationales_row_by_row(question_run):
    report, _ = evaluate(question_run / "run", faithfulness=True)
    assert report.task["inputs"] == 10 and np.sum(report.task["confusion"]) == 10
    assert report.overlap["annotated"] == 30 and report.bootstrap["unit"] == "question"
    assert report.selection["units"] == 10 * 3 * (1 + 4 + 1 + 1)
    assert len(report.faithfulness["sufficiency"]["per_k"]) == 2


def test_a_question_is_explained_by_the_rationale_of_the_predicted_answer(question_run):
    run = n2r_jax.load(question_run / "run")
    (found,) = run.explain(["which is red ?"], choices=[["blue", "red", "dark green"]])
    assert found.tokens == ("which", "is", "red", "?") and len(found.choices) == 3
    best = found.choices[int(found.label)]
    assert best.mask == found.mask and best.probability == max(found.probabilities.values())
    assert [len(answer.answer_mask) for answer in found.choices] == [1, 1, 2]
    assert found.to_dict()["choices"][2]["tokens"] == ("dark", "green")
    for texts, more, told in (
        (["which ?"], {}, "no questions, train has questions of 3 choices"),
        (["which ?"], {"choices": [["a", "b"]]}, "questions of 2 choices, train has"),
        (["which ?"], {"choices": [["a", "b", " "]]}, "a choice of text 0 has no token"),
        (["which ?"], {"choices": ["a"] * 2}, "choices is of 1 texts"),
    ):
        with pytest.raises(UserError, match=told):
            run.explain(texts, **more)


def test_questions_on_the_command_line(question_run, capsys):
    run = str(question_run / "run")
    options = [f"--choice={colour}" for colour in ("red", "blue", "grey")]
    assert main(["explain", "--run", run, "--text", "which is red ?", *options]) == 0
    shown = capsys.readouterr().out
    assert "which is red ?" in shown and all(f"{c} " in shown for c in ("red", "blue", "grey"))
    rows = question_run / "out.jsonl"
    test = str(question_run / "test.jsonl")
    assert main(["explain", "--run", run, "--in", test, "--out", str(rows)]) == 0
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert len(lines) == 10 and len(lines[0]["choices"]) == 3
    out = question_run / "eraser"
    assert main(["export", "eraser", "--run", run, "--out", str(out)]) == 0
    gold = json.loads((out / "test.jsonl").read_text().splitlines()[0])
    assert gold["query"].count(" [sep] ") == 2
    scores = ["--out", str(question_run / "scores.json")]
    given = ["--data-dir", str(out), "--predictions", str(out / "predictions.jsonl")]
    assert main(["score", "eraser", *given, *scores]) == 0


def test_a_pair_from_training_to_its_reasons(tmp_path):
    encoder = tiny_encoder.write_directory(tmp_path / "encoder")
    changes = {
        "model__name": "transformer",
        "encoder__pretrained": str(encoder),
        "training__learning_rate": 1e-3,
    }
    config = tiny.config(method="rnp", **SHORT, **changes, **write(tmp_path, pair, (10, 4, 4)))
    train(config, str(tmp_path / "run"))
    report, _ = evaluate(tmp_path / "run")
    assert report.overlap["annotated"] == 4 and report.selection["units"] == 4 * 7
    run = n2r_jax.load(tmp_path / "run")
    (found,) = run.explain(["The room is red."], second=["It's blue"])
    assert found.tokens[found.second :] == ("It", "'s", "blue")
    shown = sum(end - start for start, end in found.spans)
    assert shown == sum(found.mask) and len(found.scores) == 8
    assert not any(start < found.second < end for start, end in found.spans)
    assert len(found.char_spans) + len(found.second_char_spans) == len(found.spans)
    (alone,) = run.explain(["The room is red."])
    assert alone.second is None and "second_text" not in alone.to_dict()
    out = tmp_path / "out.tsv"
    assert main(["export", "r2a", "--run", str(tmp_path / "run"), "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 5
