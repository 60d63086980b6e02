"""What ERASER's official scorer gives, recorded and by hand, and what is told of its traps."""

import json
import math
import pathlib

import numpy as np
import pytest

from n2r_jax import cli
from n2r_jax.errors import BadRows, DataError, UserError
from n2r_jax.score.eraser import score_eraser
from tests.score.eraser_files import (
    annotation,
    classes,
    evidence,
    prediction,
    rationale,
    write_directory,
    write_lines,
)

GOLDEN = pathlib.Path(__file__).parents[2].parent / "shared" / "golden" / "eraser"
DOCUMENTS = {"a": "good film .\n\n truly  good\n", "b": "dull and long .\nso dull", "c": "fine"}
ROWS = [
    annotation("a", "POS", evidence("a", 0, 1, (0, 1)), evidence("a", 3, 5, (1, 2))),
    annotation("b", "NEG", evidence("b", 0, 4, (0, 1))),
]


def golden(name):
    if not GOLDEN.is_dir():
        pytest.skip("the recorded scores are not here (../shared/golden/eraser)")
    return GOLDEN / name


def numbers(value, path=""):
    """Every leaf under its path."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for name, inner in items for k, v in numbers(inner, f"{path}/{name}").items()}
    return {path: value}


def score(folder, rows, predictions, documents=DOCUMENTS, **options):
    write_directory(folder, documents, rows)
    return score_eraser(folder, write_lines(folder / "p.jsonl", predictions), **options)


def predictions_of(*label_sets):
    """Perfect predictions of ROWS, with whatever class fields are given."""
    fields = label_sets or ({}, {})
    spans = [rationale("a", (0, 1), (3, 5)), rationale("b", (0, 4))]
    return [prediction(n, s, **f) for n, s, f in zip("ab", spans, fields, strict=True)]


def test_every_number_of_the_official_scorer_is_met():
    official = json.loads(golden("official_scores.json").read_text())
    scores, warnings = score_eraser(GOLDEN, golden("predictions.jsonl"))
    expected, found = numbers(official), numbers(scores)
    assert found.keys() == expected.keys() and len(found) > 50
    for path, value in expected.items():
        assert found[path] == pytest.approx(value, rel=0, abs=1e-9), path
    assert len(warnings) == 1 and "test.jsonl, line 9 and 4 more: gold spans touch" in warnings[0]


def test_hard_scores_by_hand(tmp_path):
    """Row a: one span right, one half right; row b: nothing selected, gold of four tokens."""
    predictions = [prediction("a", rationale("a", (0, 1), (4, 5))), prediction("b", rationale("b"))]
    scores, _ = score(tmp_path, ROWS, predictions, iou_thresholds=(0.5, 0.6))
    assert scores["rationale_prf"] == {
        "instance_micro": pytest.approx({"p": 1 / 2, "r": 1 / 3, "f1": 2 / 5}),
        "instance_macro": pytest.approx({"p": 1 / 4, "r": 1 / 4, "f1": 1 / 4}),
    }
    assert scores["token_prf"] == {
        "instance_micro": pytest.approx({"p": 1, "r": 2 / 7, "f1": 4 / 9}),
        "instance_macro": pytest.approx({"p": 1 / 2, "r": 1 / 3, "f1": 0.4}),
    }
    half, strict = scores["iou_scores"]
    assert half["micro"] == pytest.approx({"p": 1, "r": 2 / 3, "f1": 4 / 5})
    assert half["macro"] == pytest.approx({"p": 1, "r": 1 / 2, "f1": 2 / 3})
    assert strict["micro"] == pytest.approx({"p": 1 / 2, "r": 1 / 3, "f1": 2 / 5})
    assert "classification_scores" not in scores and "token_soft_metrics" not in scores


def test_soft_scores_by_hand(tmp_path):
    """Perfect order in a; in b the single gold sentence is ranked last of two."""
    soft = [
        {"soft_rationale_predictions": [9, 1, 2, 8, 7], "soft_sentence_predictions": [0.6, 0.5]},
        {"soft_rationale_predictions": [4, 3, 2, 1, 9, 0], "soft_sentence_predictions": [0, 1.5]},
    ]
    predictions = [
        prediction(n, rationale(n, (0, 1), **s)) for n, s in zip("ab", soft, strict=True)
    ]
    scores, _ = score(tmp_path, ROWS, predictions)
    b_precision = (1 / 2 + 2 / 3 + 3 / 4 + 4 / 5) / 4
    tokens, sentences = scores["token_soft_metrics"], scores["sentence_soft_metrics"]
    assert tokens["average_precision"] == pytest.approx((1 + b_precision) / 2)
    assert tokens["roc_auc_score"] == pytest.approx((1 + 1 / 2) / 2)
    # All sentences of a are gold: nothing to rank there. Of b: precision 1/2 at recall 1.
    assert sentences["average_precision"] == pytest.approx(1 / 2)
    assert sentences["roc_auc_score"] == 0
    assert sentences["auprc"] == pytest.approx((1 + 1 / 4) / 2)


def test_class_scores_by_hand(tmp_path):
    fields = classes("POS", 0.9, 0.2, 0.8), classes("POS", 0.6, 0.5, 0.7)
    scores, warnings = score(tmp_path, ROWS, predictions_of(*fields))
    found = scores["classification_scores"]
    assert not warnings and found["accuracy"] == 0.5
    assert (
        found["prf"]["POS"]["f1-score"] == pytest.approx(2 / 3)
        and not found["prf"]["NEG"]["recall"]
    )
    assert found["comprehensiveness"] == pytest.approx((0.7 + 0.1) / 2)
    assert found["sufficiency"] == pytest.approx((0.1 - 0.1) / 2)

    def entropy(p):
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    def divergence(p, q):
        return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))

    drop = entropy(0.9) - entropy(0.2) + entropy(0.6) - entropy(0.5)
    assert found["comprehensiveness_entropy"] == pytest.approx(drop / 2)
    kl = (divergence(0.8, 0.9) + divergence(0.7, 0.6)) / 2
    assert found["sufficiency_kl"] == pytest.approx(kl)
    assert found["aopc_thresholds"] is None and found["sufficiency_aopc_points"] is None


def test_thresholds_are_averaged_and_must_be_there(tmp_path):
    fields = classes("POS", 0.9, 0.2, 0.8), classes("NEG", 0.4, 0.5, 0.7)
    drops = {0.1: (0.7, 0.6), 0.5: (0.3, 0.4)}
    for row in fields:
        row["thresholded_scores"] = [
            {"threshold": t}
            | {
                f"{kind}_classification_scores": {"NEG": 1 - p, "POS": p}
                for kind, p in zip(("comprehensiveness", "sufficiency"), pair, strict=True)
            }
            for t, pair in drops.items()
        ]
    folder = tmp_path / "one"
    found, _ = score(folder, ROWS, predictions_of(*fields), aopc_thresholds=(0.5, 0.1))
    found = found["classification_scores"]
    points = [(0.9 - 0.3 + 0.6 - 0.7) / 2, (0.9 - 0.7 + 0.6 - 0.3) / 2]
    assert found["comprehensiveness_aopc_points"] == pytest.approx(points)
    assert found["comprehensiveness_aopc"] == pytest.approx(np.mean(points))
    assert found["aopc_thresholds"] == [0.5, 0.1]
    with pytest.raises(
        UserError, match=r"line 1 .* no threshold 0.01; .*--aopc-thresholds 0.1 0.5"
    ):
        score(tmp_path / "two", ROWS, predictions_of(*fields))


def test_both_kinds_of_documents_are_counted_as_the_scorer_counts(tmp_path):
    """docs.jsonl keeps empty lines and tokens: a's document has five tokens, or seven."""
    soft = {"soft_sentence_predictions": [1, 2], "soft_rationale_predictions": [0.0] * 5}
    predictions = write_lines(tmp_path / "p.jsonl", [prediction("a", rationale("a", **soft))])
    filed = write_directory(tmp_path / "filed", DOCUMENTS, ROWS[:1])
    listed = write_directory(tmp_path / "listed", DOCUMENTS, ROWS[:1], listed=True)
    assert "token_soft_metrics" in score_eraser(filed, predictions)[0]
    with pytest.raises(BadRows, match="has 5 numbers for the 8 tokens of 'a'"):
        score_eraser(listed, predictions)


def test_first_row_without_selection_is_told_and_scored_all_the_same(tmp_path):
    rows = predictions_of()
    rows[0]["rationales"][0]["hard_rationale_predictions"] = []
    scores, warnings = score(tmp_path, ROWS, rows)
    assert scores["token_prf"]["instance_micro"]["r"] == pytest.approx(4 / 7)
    assert len(warnings) == 1 and "p.jsonl, line 1: the first row selects nothing" in warnings[0]


def test_no_selection_at_all_leaves_the_hard_scores_out(tmp_path):
    fields = classes("POS", 0.9, 0.2, 0.8), classes("POS", 0.6, 0.5, 0.7)
    rows = [prediction(n, rationale(n), **f) for n, f in zip("ab", fields, strict=True)]
    scores, warnings = score(tmp_path, ROWS, rows)
    assert scores.keys() == {"classification_scores"}
    assert len(warnings) == 1 and "no row selects any token" in warnings[0]


def test_no_gold_at_all_leaves_the_hard_scores_out(tmp_path):
    scores, warnings = score(tmp_path, [annotation("a", "POS")], [predictions_of()[0]])
    assert not scores and "no row of the gold has an evidence" in warnings[0]


def test_a_document_without_gold_counts_half(tmp_path):
    soft = {"a": [9, 1, 2, 8, 7], "c": [1]}
    predictions = [
        prediction(n, rationale(n, (0, 1), soft_rationale_predictions=soft[n])) for n in "ac"
    ]
    scores, warnings = score(tmp_path, [ROWS[0], annotation("c", "NEG")], predictions)
    found = scores["token_soft_metrics"]
    assert found["auprc"] == 0.75 and found["average_precision"] == found["roc_auc_score"] == 1
    assert len(warnings) == 1 and "line 2: a document without gold counts 0.5" in warnings[0]


def test_probability_zero_is_told(tmp_path):
    fields = classes("POS", 0.9, 0.2, 0.8), classes("POS", 1.0, 0.5, 1.0)
    scores, warnings = score(tmp_path, ROWS, predictions_of(*fields))
    found = scores["classification_scores"]
    assert math.isinf(found["comprehensiveness_kl"]) and math.isfinite(found["sufficiency_kl"])
    assert len(warnings) == 1
    assert "line 2: a class has probability 0, so comprehensiveness_kl is inf" in warnings[0]


def test_touching_gold_is_told_and_token_scores_are_whole(tmp_path):
    gold = [annotation("a", "POS", evidence("a", 0, 2), evidence("a", 2, 4))]
    scores, warnings = score(tmp_path, gold, [prediction("a", rationale("a", (0, 4)))])
    assert scores["token_prf"]["instance_macro"]["f1"] == 1
    assert scores["rationale_prf"]["instance_macro"]["f1"] == 0
    assert len(warnings) == 1 and "test.jsonl, line 1: gold spans touch" in warnings[0]


def test_what_stops_or_bends_the_official_scorer_is_told(tmp_path):
    gold = [ROWS[0] | {"source": "x"}, ROWS[1]]
    rows = [*predictions_of(), prediction("zz", rationale("c", (0, 1)))]
    scores, warnings = score(tmp_path, gold, rows)
    assert scores["token_prf"]["instance_micro"]["p"] == pytest.approx(7 / 8)
    assert len(warnings) == 2
    assert "test.jsonl, line 1: the official scorer stops at source" in warnings[0]
    assert "p.jsonl, line 3: not in the gold" in warnings[1]
    fields = classes("POS", 0.9, 0.2, 0.8), classes("NEG", 0.6, 0.5, 0.7)
    fields[1]["classification_scores"]["POS"] = 0.9
    _, (told,) = score(tmp_path / "two", ROWS, predictions_of(*fields))
    assert "line 2: probabilities do not add up to 1" in told


def test_a_missing_annotation_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"p\.jsonl: no row for annotation 'b' \(line 2 of"):
        score(tmp_path, ROWS, predictions_of()[:1])


GOOD_CLASSES = classes("POS", 0.9, 0.2, 0.8)
BAD = {
    "no annotation_id": prediction(None),
    "annotation_id 'a' again": prediction("a"),
    "rationales are not a list": prediction("b") | {"rationales": "x"},
    "a rationale without docid": prediction("b", {}),
    "no document '../p.jsonl'": prediction("b", rationale("../p.jsonl")),
    "two rationales for one document": prediction("b", rationale("b"), rationale("b")),
    r"span \[2, 7\] .* outside the 6 tokens": prediction("b", rationale("b", (2, 7))),
    r"span \[2, 2\] is empty": prediction("b", rationale("b", (2, 2))),
    r"span \[0.0, 2\]": prediction("b", rationale("b", (0.0, 2))),
    "two spans overlap at token 2": prediction("b", rationale("b", (2, 4), (0, 3))),
    "hard_rationale_predictions cannot be read": prediction(
        "b", {"docid": "b", "hard_rationale_predictions": [[0, 1]]}
    ),
    "has 2 numbers for the 6 tokens": prediction(
        "b", rationale("b", soft_rationale_predictions=[0, 1])
    ),
    "not a finite number": prediction(
        "b", rationale("b", soft_sentence_predictions=[0, float("nan")])
    ),
    "other way round": prediction("b", classification="POS"),
    "label 'MIXED' is not in the gold": prediction(
        "b", **(GOOD_CLASSES | {"classification": "MIXED"})
    ),
    "has no 'NEG'": prediction("b", classification="NEG", classification_scores={"POS": 1.0}),
    "is not {label: number}": prediction(
        "b", classification="NEG", classification_scores={"NEG": "1"}
    ),
    "a negative number": prediction(
        "b", classification="NEG", classification_scores={"NEG": -1, "POS": 2}
    ),
    "has not the labels of": prediction(
        "b", **(GOOD_CLASSES | {"sufficiency_classification_scores": {"POS": 1}})
    ),
    "thresholded_scores without": prediction(
        "b",
        classification="POS",
        classification_scores={"POS": 1},
        thresholded_scores=[],
    ),
    "an entry of thresholded_scores is not": prediction(
        "b", **GOOD_CLASSES, thresholded_scores=[{"threshold": 0.1}]
    ),
    "not an object": ["b"],
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_rows_name_file_line_and_mend(tmp_path, problem):
    pattern = problem if "\\" in problem else problem.replace("{", r"\{").replace("}", r"\}")
    with pytest.raises(BadRows, match=rf"p\.jsonl, line 2: .*{pattern}.*; \w") as raised:
        score(tmp_path, ROWS, [predictions_of()[0], BAD[problem]])
    assert str(raised.value).count("\n") == 0


def test_fields_that_only_some_rows_have_are_named(tmp_path):
    rows = predictions_of(GOOD_CLASSES, {})
    with pytest.raises(BadRows, match="line 2: no classification, which line 1 has"):
        score(tmp_path, ROWS, rows)


BAD_GOLD = {
    "no annotation_id": annotation("", "POS"),
    "id 'a' again": annotation("a", "POS"),
    "classification is not a string": annotation("b", 1),
    "evidences cannot be read": annotation("b", "POS") | {"evidences": [[{"docid": "b"}]]},
    "its places no integers": annotation("b", "POS", evidence("b", 0, "1")),
    "docids are not strings": annotation("b", "POS", docids="b"),
}


@pytest.mark.parametrize("problem", BAD_GOLD)
def test_bad_gold_is_named(tmp_path, problem):
    with pytest.raises(BadRows, match=rf"test\.jsonl, line 2: .*{problem}"):
        score(tmp_path, [ROWS[0], BAD_GOLD[problem]], predictions_of())


def test_the_command_writes_the_scores_and_tells_them(tmp_path, capsys):
    folder = write_directory(tmp_path / "d", DOCUMENTS, ROWS, split="val")
    rows = predictions_of(GOOD_CLASSES, classes("NEG", 0.4, 0.2, 0.5))[::-1]
    predictions = write_lines(tmp_path / "p.jsonl", rows)
    out = tmp_path / "deep" / "scores.json"
    command = ["score", "eraser", "--data_dir", str(folder), "--predictions", str(predictions)]
    assert cli.main([*command, "--split", "val", "--out", str(out)]) == 0
    printed, warned = capsys.readouterr()
    assert "token F1 (instance_macro)       1.0000" in printed and not warned
    assert json.loads(out.read_text()) == score_eraser(folder, predictions, "dev")[0]
    wrong = {
        "test.jsonl: no such file": [*command, "--out", str(out)],
        "one of the files to read": [*command, "--split", "val", "--out", str(predictions)],
        "cannot be written": [*command, "--split", "val", "--out", str(tmp_path / "d")],
        "e/test.jsonl: no such file": [
            *command[:3],
            str(tmp_path / "e"),
            *command[4:],
            "--out",
            "x",
        ],
    }
    for message, arguments in wrong.items():
        assert cli.main(arguments) == 2, message
        printed, errors = capsys.readouterr()
        assert message in errors and errors.startswith("error: ") and errors.count("\n") == 1
    assert predictions.read_text().count("\n") == 2
