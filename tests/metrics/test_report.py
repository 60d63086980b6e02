"""The report: JSON-able, indifferent to padding, honest about what is missing."""

import io
import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from n2r_jax.metrics.overlap import OverlapCounts, micro
from n2r_jax.metrics.report import DEFINITIONS, rationale_report
from n2r_jax.metrics.report_tables import render


def arrays(inputs=40, units=15):
    rng = np.random.default_rng(0)
    valid = np.arange(units) < rng.integers(5, units + 1, size=(inputs, 1))
    scores = rng.normal(size=(inputs, units)).astype(np.float32)
    gold = (scores + rng.normal(size=scores.shape) > 1) & valid
    labels, predicted = rng.integers(2, size=(2, inputs))
    return {
        "mask": ((scores > 1) & valid).astype(np.float32),
        "valid": valid,
        "gold": gold.astype(np.int32),
        "has_gold": rng.random(inputs) < 0.8,
        "scores": 1 / (1 + np.exp(-scores)),
        "labels": labels,
        "predicted": predicted,
        "probabilities": rng.dirichlet(np.ones(2), size=inputs),
        "classes": 2,
        "resamples": 200,
    }


def text_of(report):
    from rich.console import Console

    console = Console(file=io.StringIO(), width=160)
    for table in render(report):
        console.print(table)
    return console.file.getvalue()


def without_definitions(report):
    return {key: value for key, value in report.to_dict().items() if key != "definitions"}


def test_report_is_json_with_every_score_defined():
    report = rationale_report(**arrays()).to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    for section in ("task", "selection", "overlap"):
        scores = {name for name, value in report[section].items() if isinstance(value, dict)}
        assert scores <= set(DEFINITIONS)


def test_overlap_is_scored_on_annotated_inputs_only():
    given = arrays()
    report = rationale_report(**given)
    marked = given["has_gold"]
    counts = OverlapCounts.from_masks(*(given[key][marked] for key in ("mask", "gold", "valid")))
    assert report.overlap["annotated"] == marked.sum()
    assert report.overlap["without_gold"] == (~marked).sum()
    assert report.overlap["micro"]["model"]["f1"] == pytest.approx(float(micro(counts).f1))
    mask, gold, valid = (given[key][marked] for key in ("mask", "gold", "valid"))
    expected = jaccard_score(gold[valid], mask[valid])
    assert report.overlap["iou_micro"]["value"] == pytest.approx(expected)
    assert report.task["inputs"] == len(marked)


def test_intervals_hold_their_values_and_the_ceiling_the_model():
    report = rationale_report(**arrays())
    for name in ("micro", "instance_mean"):
        rows = report.overlap[name]
        assert rows["model"]["f1_low"] <= rows["model"]["f1"] <= rows["model"]["f1_high"]
        assert rows["random"]["f1"] < rows["model"]["f1"] <= rows["ceiling"]["f1"]
    for score in (report.task["accuracy"], report.task["macro_f1"]):
        assert score["low"] <= score["value"] <= score["high"]


def test_f1_of_the_second_class_and_of_likely_units_are_scikit_learns():
    given = arrays()
    report = rationale_report(**given)
    expected = f1_score(given["labels"], given["predicted"])
    assert report.task["binary_f1"]["value"] == pytest.approx(expected)
    rows = [
        (given["gold"][i][valid], given["scores"][i][valid] > 0.5)
        for i, valid in enumerate(given["valid"])
        if given["has_gold"][i]
    ]
    for name, average in (("macro", "macro"), ("positive", "binary")):
        each = [f1_score(*row, labels=[0, 1], average=average, zero_division=0) for row in rows]
        assert report.overlap[f"token_f1_{name}"]["value"] == pytest.approx(np.mean(each))


def test_padding_changes_nothing():
    given = arrays()
    wider = dict(given)
    for key in ("mask", "valid", "gold"):
        wider[key] = np.pad(given[key], ((0, 3), (0, 4)))
    wider["mask"][:, 15:] = 1
    wider["scores"] = np.pad(given["scores"], ((0, 3), (0, 4)), constant_values=np.nan)
    for key in ("has_gold", "labels", "predicted"):
        wider[key] = np.pad(given[key], (0, 3))
    wider["probabilities"] = np.pad(given["probabilities"], ((0, 3), (0, 0)))
    assert without_definitions(rationale_report(**wider)) == without_definitions(
        rationale_report(**given)
    )


@pytest.mark.parametrize("change", [{"gold": None}, {"has_gold": np.zeros(40, bool)}])
def test_without_gold_the_overlap_is_none_and_says_why(change):
    report = rationale_report(**(arrays() | change))
    assert report.overlap is None
    assert "gold" in report.overlap_missing
    assert report.overlap_missing in text_of(report)


def test_scores_and_probabilities_are_optional():
    report = rationale_report(**(arrays() | {"scores": None, "probabilities": None}))
    assert "auprc_corpus" not in report.overlap
    assert "cross_entropy" not in report.task
    json.dumps(report.to_dict(), allow_nan=False)


def test_gold_without_a_mark_gives_none_not_nan():
    given = arrays()
    report = rationale_report(**(given | {"gold": np.zeros_like(given["gold"])}))
    assert report.overlap["empty_gold"] == report.overlap["annotated"]
    assert report.overlap["auprc_corpus"]["value"] is None
    json.dumps(report.to_dict(), allow_nan=False)
    text_of(report)


def test_tables_show_the_model_beside_its_baselines():
    text = text_of(rationale_report(**arrays()))
    for word in ("micro", "instance-mean", "model", "select-all", "random", "ceiling", "accuracy"):
        assert word in text


def test_no_input_is_refused():
    given = arrays()
    with pytest.raises(ValueError, match="no input"):
        rationale_report(**(given | {"valid": np.zeros_like(given["valid"])}))
