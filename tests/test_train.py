"""Training stops, goes on, chooses and refuses as it should."""

import json
import math
import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import pytest

from n2r_jax.data import batching
from n2r_jax.errors import UserError
from n2r_jax.inference import TrainedRun
from n2r_jax.train import train
from n2r_jax.training.loop import Interrupted
from n2r_jax.training.run import TrainingDiverged
from tests import tiny


@pytest.fixture(scope="module")
def straight():
    """Two epochs of five steps, never interrupted."""
    return tiny.trained_run()


@pytest.fixture
def copy(straight, tmp_path):
    return shutil.copytree(straight, tmp_path / "copy")


def send_signal_at(monkeypatch, step, number):
    """Have a signal come while a certain step is being prepared."""

    def stream(batches, start):
        for index, batch in enumerate(batching.stream(batches, start), start + 1):
            if index == step:
                os.kill(os.getpid(), number)
            yield batch

    monkeypatch.setattr("n2r_jax.train.stream", stream)


def assert_same_run(found, wanted):
    """Every line that was written and every bit that a run would go on from."""
    assert (found / "metrics.jsonl").read_bytes() == (wanted / "metrics.jsonl").read_bytes()
    for which in ("latest", "best"):
        assert tiny.sealed(found, which) == tiny.sealed(wanted, which)


@pytest.mark.parametrize(
    ("step", "number"), [(3, signal.SIGTERM), (5, signal.SIGTERM), (7, signal.SIGINT)]
)
def test_a_stopped_run_goes_on_bit_by_bit(straight, tmp_path, monkeypatch, step, number):
    send_signal_at(monkeypatch, step, number)
    with pytest.raises(Interrupted) as stop:
        train(tiny.config(), str(tmp_path))
    assert (stop.value.step, stop.value.signal_number) == (step, number)
    assert tiny.sealed(tmp_path)[0] == step
    train(tiny.config(), str(tmp_path))
    assert_same_run(tmp_path, straight)


def test_more_epochs_than_at_first_are_the_same_run(straight, tmp_path):
    train(tiny.config(training__epochs=1), str(tmp_path))
    train(tiny.config(), str(tmp_path))
    assert_same_run(tmp_path, straight)


def test_a_finished_run_stays_as_it_is(straight, copy, capsys):
    train(tiny.config(), str(copy))
    assert_same_run(copy, straight)
    assert "done after step 10" in capsys.readouterr().out


def newest_data_file(run):
    step = tiny.sealed(run)[0]
    found = [f for f in (run / "latest" / str(step) / "arrays").rglob("d/*") if f.is_file()]
    return max(found, key=lambda f: f.stat().st_size)


def test_a_damaged_checkpoint_costs_its_steps_and_nothing_else(straight, copy):
    path = newest_data_file(copy)
    path.write_bytes(path.read_bytes()[:100])
    train(tiny.config(), str(copy))
    assert_same_run(copy, straight)


def test_a_kill_between_the_best_and_the_latest_loses_neither(tmp_path):
    """The newest state knows of a best one whose files never came to be."""
    config = tiny.config(training__best_by="dev/norm", training__best_mode="min")
    train(config, str(tmp_path))
    best = tiny.sealed(tmp_path, "best")
    assert best[0] == tiny.sealed(tmp_path)[0], "the test needs the last epoch to be the best"
    shutil.rmtree(tmp_path / "best" / str(best[0]))
    train(config, str(tmp_path))
    assert tiny.sealed(tmp_path, "best") == best


def test_a_cut_line_of_metrics_is_written_anew(straight, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    with path.open("a") as file:
        file.write('{"step": 11, "epo')
    train(tiny.config(), str(tmp_path / "run"))
    assert_same_run(tmp_path / "run", straight)


def test_lines_hold_sums_over_their_steps_and_the_epochs_they_belong_to(straight):
    lines = tiny.lines(straight)
    places = [(line["step"], line["epoch"], line["split"]) for line in lines]
    train_lines = [(3, 1), (5, 1), (6, 2), (9, 2), (10, 2)]
    assert [p[:2] for p in places if p[2] == "train"] == train_lines
    assert [p[:2] for p in places if p[2] == "dev"] == [(5, 1), (10, 2)]
    # 4 texts stand in the last batch of an epoch, 8 in the others: a mean of means has no 20ths.
    for line in lines:
        texts = 20 if line["split"] == "dev" else None
        if texts:
            assert (line["accuracy"] * texts) == pytest.approx(round(line["accuracy"] * texts))


@pytest.mark.slow
def test_a_run_that_diverges_stops_and_keeps_finite_numbers(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"step \d+: .*(loss|nan|inf|finite)") as stopped:
        train(tiny.config(training__learning_rate=1e38), str(tmp_path))
    assert isinstance(stopped.value, UserError)
    for line in tiny.lines(tmp_path):
        assert all(math.isfinite(v) for v in line.values() if not isinstance(v, str))
    if any((tmp_path / "latest").glob("[0-9]*")):
        for leaf in jax.tree.leaves(TrainedRun(tmp_path, "latest").params):
            assert np.isfinite(leaf).all()


@pytest.mark.parametrize("mode", ["max", "min"])
def test_best_is_the_extreme_of_the_named_metric(tmp_path, mode):
    fields = {"training__best_by": "dev/cross_entropy", "training__best_mode": mode}
    train(tiny.config(training__epochs=4, **fields), str(tmp_path))
    dev = [line for line in tiny.lines(tmp_path) if line["split"] == "dev"]
    choose = max if mode == "max" else min
    wanted = choose(dev, key=lambda line: line["cross_entropy"])
    assert len({line["cross_entropy"] for line in dev}) == 4
    step, record = tiny.sealed(tmp_path, "best")
    assert step == wanted["step"] == record["progress"]["best_step"]
    assert record["progress"]["best"] == wanted["cross_entropy"]


def test_epochs_that_select_too_much_are_never_best(tmp_path, capsys):
    fields = {"method": "classifier", "training__best_sparsity_at_most": 0.9}
    train(tiny.config(training__epochs=1, **fields), str(tmp_path))
    assert not any((tmp_path / "best").glob("[0-9]*"))
    assert "no epoch selected few enough" in capsys.readouterr().out
    assert TrainedRun(tmp_path, "best").which == "latest"


IMPOSSIBLE = {
    "training__best_by": ("dev/f2", r"best_by 'dev/f2' is not measured; choose dev/accuracy"),
    "training__best_mode": ("largest", "best_mode is 'largest'; it must be max or min"),
    "training__log_every": (0, "log_every is 0; it must be at least 1"),
    "training__learning_rate": (0.0, "learning_rate is 0.0; it must be a number above 0"),
    "training__epochs": (0, "epochs is 0"),
    "model__dropout": (1.0, "dropout is 1.0"),
    "model__name": ("lstm", "model.name is 'lstm'; it must be gru or transformer"),
    "method": ("n3r", "method 'n3r' is unknown; choose .*n2r_mmi"),
    "objective__continuity": ("max", "continuity 'max' is unknown"),
    "data__name": ("books", "data.name 'books' is unknown"),
    "data__too_long": ("drop", "too_long is 'drop'; it must be truncate or error"),
    "data__sizes": ((36, 20), r"sizes is \(36, 20\); it must be 3 integers"),
    "batching__batch_size": (12, "batch_size 12 does not divide among 8 devices"),
    "evaluation__batch_size": (12, "evaluation.batch_size 12 does not divide among 8 devices"),
    "batching__buckets": ((24, 8), r"buckets \(24, 8, 32\) must ascend"),
}


@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_what_cannot_work_is_told_before_anything_is_made(tmp_path, field):
    value, message = IMPOSSIBLE[field]
    started = time.monotonic()
    with pytest.raises(UserError, match=message):
        train(tiny.config(**{field: value}), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert time.monotonic() - started < 5


def test_the_best_cannot_be_chosen_by_gold_that_dev_lacks(tmp_path):
    bare = tiny.write_rows(tmp_path / "bare.jsonl", "dev", 8)
    rows = [json.loads(line) | {"rationale": None} for line in bare.read_text().splitlines()]
    bare.write_text("".join(json.dumps(row) + "\n" for row in rows))
    train_file = tiny.write_rows(tmp_path / "train.jsonl", "train", 16)
    files = {"data__name": "files", "data__train": str(train_file), "data__dev": str(bare)}
    with pytest.raises(UserError, match="f1_micro' is not measured"):
        train(tiny.config(training__best_by="dev/f1_micro", **files), str(tmp_path / "run"))


def launch(directory, *, epochs=6):
    arguments = tiny.arguments(training__epochs=epochs)
    return tiny.start("-m", "n2r_jax.main", f"--workdir={directory}", *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_real_process_saves_and_the_same_command_resumes(tmp_path, number):
    first = launch(tmp_path / "run", epochs=400)
    tiny.wait_for_lines(tmp_path / "run", 10)
    first.send_signal(number)
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 128 + number, errors
    assert "everything is saved" in errors and "Traceback" not in errors
    step = tiny.sealed(tmp_path / "run")[0]
    epochs = step // 5 + 2
    second = launch(tmp_path / "run", epochs=epochs)
    _, errors = second.communicate(timeout=120)
    assert second.returncode == 0 and f"going on after step {step}" in errors, errors
    whole = launch(tmp_path / "whole", epochs=epochs)
    assert whole.communicate(timeout=120) and whole.returncode == 0
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    epochs, kills, rng = 30, 0, random.Random(0)
    whole = launch(tmp_path / "whole", epochs=epochs)
    assert whole.communicate(timeout=200) and whole.returncode == 0
    while True:
        process = launch(tmp_path / "run", epochs=epochs)
        seen = len(tiny.lines(tmp_path / "run")) if (tmp_path / "run/metrics.jsonl").exists() else 0
        if kills < 5:
            tiny.wait_for_lines(tmp_path / "run", seen + rng.randrange(1, 12))
            time.sleep(rng.random() * 0.1)
            process.kill()
            kills += 1
        _, errors = process.communicate(timeout=200)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert_same_run(tmp_path / "run", tmp_path / "whole")
