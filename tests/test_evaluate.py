"""The report of a run: what it holds, and that it is made of what the run predicts."""

import json
import math
import shutil

import numpy as np
import pytest

from n2r_jax.data.reviews import Reviews
from n2r_jax.errors import UserError
from n2r_jax.evaluate import evaluate, evaluate_command
from n2r_jax.inference import TrainedRun
from n2r_jax.metrics.report_tables import render
from tests import tiny

ROWS = {"model", "select_all", "random", "ceiling"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return shutil.copytree(tiny.trained_run(), tmp_path_factory.mktemp("evaluate") / "run")


@pytest.fixture(scope="module")
def results(run):
    """results.json with drawn masks: at arg-max the tiny model selects hardly anything."""
    assert evaluate_command(str(run), sample_seed=5) == 0

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads((run / "results.json").read_text(), parse_constant=refuse)


def test_both_definitions_stand_beside_their_baselines(results):
    for definition in ("micro", "instance_mean"):
        rows = results["overlap"][definition]
        assert set(rows) == ROWS
        assert rows["random"]["sparsity"] == rows["model"]["sparsity"]
        assert rows["model"]["f1_low"] <= rows["model"]["f1"] <= rows["model"]["f1_high"]
        assert definition in results["definitions"]


def test_the_report_says_where_it_is_from(results, run):
    origin = results["origin"]
    assert origin["checkpoint"].startswith("best (step ") and origin["seed"] == 1
    assert origin["masks"] == "sampled, seed 5" and origin["preset"].startswith("release")
    assert origin["data"]["texts"] == 20 == results["task"]["inputs"]
    assert origin["data"]["fingerprint"] == Reviews("test", size=20).fingerprint
    assert math.isfinite(origin["norm"])


def test_scores_are_those_of_the_runs_own_predictions(results, run):
    trained, source = TrainedRun(run), Reviews("test", size=20)
    outputs = trained.rationalize(trained.encode(source), sample_seed=5)
    gold = np.array([[*r.rationale, *[0] * 32][:32] for r in source])
    both = (outputs.mask * gold).sum()
    f1 = 2 * both / (outputs.mask.sum() + gold.sum())
    assert results["overlap"]["micro"]["model"]["f1"] == pytest.approx(f1)
    right = np.mean(outputs.probabilities.argmax(-1) == [r.label for r in source])
    assert results["task"]["accuracy"]["value"] == pytest.approx(right)
    assert results["selection"]["selected"] == outputs.mask.sum()


def test_training_and_evaluation_agree_on_dev(run, tmp_path):
    """The dev line that training wrote for its best epoch, from the checkpoint of that epoch."""
    data = tiny.write_rows(tmp_path / "dev.jsonl", "dev", 20)
    report, origin = evaluate(run, str(data))
    step = TrainedRun(run).step
    (line,) = (line for line in tiny.lines(run) if line["split"] == "dev" and line["step"] == step)
    assert report.task["accuracy"]["value"] == pytest.approx(line["accuracy"])
    assert report.task["cross_entropy"]["value"] == pytest.approx(line["cross_entropy"], rel=1e-5)
    assert report.selection["sparsity_micro"]["value"] == pytest.approx(line["sparsity"])
    assert origin["norm"] == pytest.approx(line["norm"], rel=1e-5)


def test_without_gold_there_is_no_overlap_and_it_is_said_why(run, tmp_path):
    path = tmp_path / "bare.jsonl"
    path.write_text('{"text": "good staff", "label": "positive"}\n')
    report, _ = evaluate(run, str(path))
    assert report.overlap is None and "none of the inputs has a gold" in report.overlap_missing


def test_a_run_without_checkpoints_is_told(run, tmp_path):
    bare = shutil.copytree(run, tmp_path / "bare", ignore=lambda *_: ["latest", "best"])
    with pytest.raises(UserError, match="has no checkpoint yet"):
        evaluate(bare)


def test_faithfulness_is_measured_where_it_is_asked_for():
    report, _ = evaluate(tiny.trained_run(), faithfulness=True)
    section = report.to_dict()["faithfulness"]
    assert section["k"] == [1, 5, 10, 20, 50] and len(section["sufficiency"]["per_k"]) == 5
    assert all(-1 <= value <= 1 for value in section["comprehensiveness"]["per_k"])
    assert evaluate(tiny.trained_run())[0].faithfulness is None
    titles = [table.title for table in render(report)]
    assert any("Faithfulness" in title for title in titles)
