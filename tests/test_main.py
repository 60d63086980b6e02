"""The command line of training: every mistake is one line and exit code 2, and makes nothing."""

import gzip
import json
import logging
import shutil
import signal
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from n2r_jax import main, runtime
from tests import tiny


@pytest.fixture
def launch(monkeypatch, capsys):
    """Run `python -m n2r_jax.main` in this process: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)
    own = logging.getLogger("n2r_jax")
    handlers, level, propagate = own.handlers, own.level, own.propagate

    def run(*arguments):
        capsys.readouterr()
        saved = flagsaver.save_flag_values()
        monkeypatch.setattr(sys, "argv", ["main", *map(str, arguments)])
        try:
            with pytest.raises(SystemExit) as stop:
                main.run()
        finally:
            flagsaver.restore_flag_values(saved)
            flags.FLAGS.mark_as_parsed()
        return (stop.value.code or 0, *capsys.readouterr())

    yield run
    own.handlers, own.level, own.propagate = handlers, level, propagate


def assert_one_line(found, *parts):
    code, out, errors = found
    assert code == 2, (out, errors)
    assert errors.startswith("error: ") and errors.count("\n") == 1, errors
    assert out == "" and "Traceback" not in errors
    for part in parts:
        assert part in errors


MISTAKES = {
    "unknown field": (["--config.sede=3"], ["no field 'sede'", "configs/base.py"]),
    "unknown nested field": (["--config.training.epoch=3"], ["no field 'epoch'"]),
    "wrong type": (["--config.seed=one"], ["config.seed", "one"]),
    "wrong type of a tuple": (["--config.data.sizes=(1,2.5,3)"], ["config.data.sizes", "2.5"]),
    "unknown flag": (["--wrokdir=x"], ["wrokdir"]),
    "unknown mode": (["--mode=test"], ["--mode", "train|evaluate"]),
    "a choice that is none": (["--config.training.best_mode=most"], ["best_mode", "max or min"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_flags_is_one_line(launch, tmp_path, mistake):
    wrong, parts = MISTAKES[mistake]
    found = launch(f"--workdir={tmp_path / 'run'}", *tiny.arguments(), *wrong)
    assert_one_line(found, *parts)
    assert not (tmp_path / "run").exists()


def test_what_is_missing_from_the_command_is_named(launch, tmp_path):
    workdir = f"--workdir={tmp_path / 'run'}"
    assert_one_line(launch(*tiny.arguments()), "--workdir")
    assert_one_line(launch(workdir), "--config")
    nowhere = "--config=configs/nowhere.py"
    assert_one_line(launch(workdir, nowhere), "no config file configs/nowhere.py")
    assert_one_line(launch(workdir, nowhere, "--config.seed=2"), "configs/nowhere.py")
    assert_one_line(launch(workdir, f"{tiny.arguments()[0]}:quick"), "preset 'quick'")
    assert_one_line(launch(workdir, "--mode=evaluate"), "no run here")
    assert not (tmp_path / "run").exists()


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def files(tmp_path):
    """Good files of a tiny run, as config fields; tests spoil one."""
    made = {split: tmp_path / f"{split}.jsonl" for split in ("train", "dev", "test")}
    for split, path in made.items():
        tiny.write_rows(path, split, 16)
    return {"data.name": "files"} | {f"data.{split}": path for split, path in made.items()}


def spoil(path, line, **fields):
    changed = rows(path)
    changed[line] |= fields
    path.write_text("".join(json.dumps(row) + "\n" for row in changed))


def cut_gzip(path):
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes())[:-20])
    return path


SPOILS = {
    "label outside the set": (
        lambda f: spoil(f["data.dev"], 2, label="mixed"),
        ["dev.jsonl, line 3", "mixed"],
    ),
    "empty text": (lambda f: spoil(f["data.train"], 4, tokens=[]), ["train.jsonl, line 5"]),
    "no file": (lambda f: f["data.dev"].unlink(), ["dev.jsonl", "no such file"]),
    "too long": (lambda f: f.update({"data.too_long": "error"}), ["train", "the limit is 32"]),
    "cut gzip": (
        lambda f: f.update({"data.train": cut_gzip(f["data.train"].with_suffix(".jsonl.gz"))}),
        ["train.jsonl.gz", "damaged or cut short"],
    ),
    "no vectors": (lambda f: f.update({"data.vectors": "nowhere.txt"}), ["nowhere.txt", "no such"]),
    "no train data": (lambda f: f.update({"data.train": ""}), ["--config.data.train=PATH"]),
    "batch size": (lambda f: f.update({"batching.batch_size": 9}), ["9", "8 devices"]),
    "best_by": (lambda f: f.update({"training.best_by": "dev/f2"}), ["dev/f2", "dev/accuracy"]),
}


@pytest.mark.parametrize("spoiled", SPOILS)
def test_a_mistake_in_the_data_is_one_line_and_makes_no_run(launch, tmp_path, files, spoiled):
    change, parts = SPOILS[spoiled]
    change(files)
    found = launch(f"--workdir={tmp_path / 'run'}", *tiny.arguments(**files))
    assert_one_line(found, *parts)
    assert not (tmp_path / "run").exists()


def content(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_a_run_is_not_continued_with_another_config(launch, tmp_path):
    run = shutil.copytree(tiny.trained_run(), tmp_path / "run")
    before = content(run)
    found = launch(f"--workdir={run}", *tiny.arguments(model__units=5, seed=2))
    assert_one_line(found, "model.units was 4, is 5", "seed was 1, is 2", "another --workdir")
    assert content(run) == before


def test_a_run_is_not_continued_with_other_data(launch, tmp_path):
    """The same file name and the same config, but one label is another."""
    dev = tiny.write_rows(tmp_path / "dev.jsonl", "dev", 8)
    train = tiny.write_rows(tmp_path / "train.jsonl", "train", 16)
    fields = {"data.name": "files", "data.train": train, "data.dev": dev, "training.epochs": 1}
    command = (f"--workdir={tmp_path / 'run'}", *tiny.arguments(**fields))
    code, out, _ = launch(*command)
    assert code == 0 and "train 16 of 16 texts" in out
    before = content(tmp_path / "run")
    other = next(row["label"] for row in rows(dev) if row["label"] != rows(dev)[0]["label"])
    spoil(dev, 0, label=other)
    assert_one_line(launch(*command), "the dev data are not those", "another --workdir")
    assert content(tmp_path / "run") == before


def test_a_damaged_run_is_told(launch, tmp_path):
    run = shutil.copytree(tiny.trained_run(), tmp_path / "run")
    table = run / "embedding.npy"
    table.write_bytes(table.read_bytes()[:-1] + b"\x01")
    assert_one_line(launch(f"--workdir={run}", *tiny.arguments()), "embedding.npy", "checksum")


def test_ctrl_c_before_the_first_step_is_no_traceback(launch, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("n2r_jax.train.prepare_stages", interrupted)
    code, _, errors = launch(f"--workdir={tmp_path / 'run'}", *tiny.arguments())
    assert code == 130 and errors.startswith("stopped")


def test_several_seeds_train_as_one_program(launch, tmp_path):
    few = ["--config.training.epochs=1", "--config.seeds=1,2"]
    code, out, _ = launch(f"--workdir={tmp_path / 'runs'}", *tiny.arguments(), *few)
    assert code == 0 and "2 runs: seed=1, seed=2" in out
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["seed=1", "seed=2"]
    repeated = launch(f"--workdir={tmp_path / 'no'}", *tiny.arguments(), "--config.seeds=1,1")
    assert_one_line(repeated, "config.seeds", "different integers")


def test_evaluate_needs_only_the_run(launch, tmp_path):
    run = shutil.copytree(tiny.trained_run(), tmp_path / "run")
    code, out, _ = launch("--mode=evaluate", f"--workdir={run}")
    assert code == 0 and "results.json" in out.replace("\n", "")
    results = json.loads((run / "results.json").read_text())
    assert results["origin"]["data"]["name"] == "reviews test"
    assert results["task"]["inputs"] == 20


@pytest.mark.slow
def test_a_mistake_in_a_real_process_is_one_line_and_exit_code_2(tmp_path):
    command = ("-m", "n2r_jax.main", f"--workdir={tmp_path / 'run'}", *tiny.arguments())
    process = tiny.start(*command, "--config.data.aspect=food")
    found = process.communicate(timeout=60)
    assert_one_line((process.returncode, *found), "food")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_ctrl_c_in_a_real_process_before_the_first_step(tmp_path):
    process = tiny.start(
        "-c",
        "import signal, sys; from n2r_jax import main; import n2r_jax.train as t\n"
        # A test runner in the background of a shell hands down a SIGINT that is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "t.prepare_stages = lambda *a: signal.raise_signal(signal.SIGINT)\n"
        "main.run()",
        f"--workdir={tmp_path / 'run'}",
        *tiny.arguments(),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and errors.startswith("stopped")
