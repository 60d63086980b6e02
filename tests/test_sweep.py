"""The table of several runs: best epochs by training's rules, mean and spread over seeds."""

import json
import math

import pytest

from n2r_jax import cli
from n2r_jax.members import members_of
from n2r_jax.sweep import read_rows, settings_of
from tests import tiny


def write_sweep(directory, scores, **changes):
    """Runs of two seeds and two sparsities with made-up dev accuracies by run and epoch."""
    config = tiny.config(**changes)
    with config.unlocked():
        config.seeds, config.grid.sparsity = (1, 2), (0.1, 0.3)
    for member in members_of(config):
        run = directory / member.name
        run.mkdir(parents=True)
        (run / "config.json").write_text(json.dumps(member.config.to_dict()))
        lines = [
            {"step": 5 * e, "epoch": e, "split": "dev", "accuracy": a, "sparsity": 0.1 * e}
            for e, a in enumerate(scores[member.name], 1)
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


SCORES = {
    "seed=1,sparsity=0.1": [0.5, 0.7, 0.7],
    "seed=2,sparsity=0.1": [0.9, 0.6, 0.6],
    "seed=1,sparsity=0.3": [0.6, 0.6, 1.0],
    "seed=2,sparsity=0.3": [0.4, 0.8, 0.8],
}


def test_best_epochs_and_their_means(tmp_path):
    write_sweep(tmp_path, SCORES)
    rows, chosen_by, mode = read_rows(tmp_path)
    assert chosen_by == "dev/accuracy"
    assert {row.name: row.epoch for row in rows} == {
        "seed=1,sparsity=0.1": 2,
        "seed=2,sparsity=0.1": 1,
        "seed=1,sparsity=0.3": 3,
        "seed=2,sparsity=0.3": 2,
    }
    first, second = settings_of(rows, mode)
    assert (first.name, first.mean["accuracy"]) == ("sparsity=0.3", pytest.approx(0.9))
    assert first.spread["accuracy"] == pytest.approx(0.2 / math.sqrt(2))
    assert (second.name, second.mean["sparsity"]) == ("sparsity=0.1", pytest.approx(0.15))


def test_epochs_above_the_allowed_sparsity_do_not_count(tmp_path):
    write_sweep(tmp_path, SCORES, training__best_sparsity_at_most=0.25)
    rows, _, mode = read_rows(tmp_path)
    best = {row.name: row.chosen for row in rows}
    assert best["seed=1,sparsity=0.3"] == 0.6
    assert settings_of(rows, mode)[0].name == "sparsity=0.1"


def test_the_command_prints_and_writes(tmp_path, capsys):
    write_sweep(tmp_path, SCORES)
    assert cli.main(["sweep", str(tmp_path)]) == 0
    assert "90.0 (14.1)" in capsys.readouterr().out
    written = json.loads((tmp_path / "sweep.json").read_text())
    assert written["settings"][0]["name"] == "sparsity=0.3"
    assert len(written["runs"]) == 4


def test_a_folder_without_runs_is_told(tmp_path, capsys):
    assert cli.main(["sweep", str(tmp_path)]) == 2
    assert "there is no run in the folders of" in capsys.readouterr().err
