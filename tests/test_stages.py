"""A run in stages goes on where a kill left it; a stage starts from the best of the one before."""

import jax
import numpy as np
import pytest

import n2r_jax
from n2r_jax.data import batching
from n2r_jax.errors import UserError
from n2r_jax.evaluate import evaluate
from n2r_jax.inference import TrainedRun
from n2r_jax.run_data import read_data
from n2r_jax.run_directory import RunDirectory
from n2r_jax.stages import left_by, present, stages_of
from n2r_jax.sweep import read_rows
from n2r_jax.train import prepare_stages, shapes_of, train
from n2r_jax.train_several import train_several
from tests import tiny

FIELDS = {"method": "l2e", "unirex__steps": 1, "compat__dropout": "off"}
STEPS = 10
"""Of each stage: two epochs of five."""


class Killed(BaseException):
    """As kill -9: nothing is saved any more."""


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Both stages, never interrupted."""
    run = tmp_path_factory.mktemp("stages") / "runs" / "l2e"
    train(tiny.config(**FIELDS), str(run))
    return run


def kill_before(monkeypatch, step):
    """Die before a step, counted over both stages."""
    taken = iter(range(1, 1000))

    def stream(batches, start):
        for batch in batching.stream(batches, start):
            if next(taken) == step:
                raise Killed
            yield batch

    monkeypatch.setattr("n2r_jax.train.stream", stream)


@pytest.mark.parametrize("step", [7, STEPS + 1, STEPS + 8])
def test_a_run_killed_in_any_stage_goes_on_bit_by_bit(straight, tmp_path, monkeypatch, step):
    kill_before(monkeypatch, step)
    with pytest.raises(Killed):
        train(tiny.config(**FIELDS), str(tmp_path))
    monkeypatch.undo()
    train(tiny.config(**FIELDS), str(tmp_path))
    assert (tmp_path / "metrics.jsonl").read_bytes() == (straight / "metrics.jsonl").read_bytes()
    for which in ("latest", "best"):
        for found, wanted in ((tmp_path, straight), (tmp_path / "stage_1", straight / "stage_1")):
            assert tiny.sealed(found, which) == tiny.sealed(wanted, which)


def test_the_second_stage_starts_from_the_best_of_the_first_and_keeps_it(straight):
    config = tiny.config(**FIELDS)
    first, second = prepare_stages(config, read_data(config, RunDirectory(straight)))
    left = left_by(stages_of(straight, 2)[0], shapes_of(first), first.method.model.given)
    assert set(left) == {"predictor"} and second.method.trained == ("extractor",)
    found = TrainedRun(straight).params
    jax.tree.map(np.testing.assert_array_equal, found["predictor"], left["predictor"])
    step, _ = tiny.sealed(straight / "stage_1", "best")
    assert step in (5, 10)


def test_lines_say_which_stage_they_are_of(straight):
    lines = tiny.lines(straight)
    assert [line["stage"] for line in lines] == sorted(line["stage"] for line in lines)
    last = {line["stage"]: line["step"] for line in lines}
    assert last == {1: STEPS, 2: STEPS}
    judged = [line["loss/extractor"] for line in lines if "loss/extractor" in line]
    assert len(judged) > 2 and {line["stage"] for line in lines if "norm" in line} == {1, 2}
    assert "stage" not in tiny.lines(tiny.trained_run())[0]


def test_the_last_stage_is_what_a_run_is_read_as(straight):
    report, origin = evaluate(straight)
    best, _ = tiny.sealed(straight, "best")
    assert origin["checkpoint"] == f"best (step {best})" and report.overlap is not None
    (found,) = n2r_jax.load(straight).explain(["The staff were rude and slow ."])
    assert set(found.scores) <= {round(1 / (1 + np.exp(-c)), 6) for c in range(-2, 3)}
    ((row,), _, _) = read_rows(straight.parent)
    dev = [line for line in tiny.lines(straight) if line["split"] == "dev" and line["stage"] == 2]
    assert row.dev["accuracy"] in {line["accuracy"] for line in dev}


def test_a_run_in_its_first_stage_has_nothing_to_show_yet(straight, tmp_path, monkeypatch):
    kill_before(monkeypatch, 7)
    with pytest.raises(Killed):
        train(tiny.config(**FIELDS), str(tmp_path))
    with pytest.raises(UserError, match="no checkpoint yet"):
        TrainedRun(tmp_path)
    assert present(stages_of(tmp_path, 2)) == 0 and present(stages_of(straight, 2)) == 1


def test_several_seeds_of_stages_are_told_apart(tmp_path):
    with pytest.raises(UserError, match=r"trains in stages.*launch one run for each"):
        train_several(tiny.config(seeds=(1, 2), **FIELDS), str(tmp_path))
    assert not list(tmp_path.iterdir())
