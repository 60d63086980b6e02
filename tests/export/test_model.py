"""An exported model is the run's: the same to the last bit, without the run and its machine."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

import n2r_jax
from n2r_jax import cli, runtime
from n2r_jax.data.reviews import Reviews
from n2r_jax.errors import DataError, UserError
from n2r_jax.evaluate import evaluate_command
from n2r_jax.export.model import export_model
from n2r_jax.inference import TrainedRun
from n2r_jax.train import train
from tests import tiny
from tests.models import tiny_encoder

TEXTS = ["The staff were rude, but the  room — naïve décor — was lovely!", "Fine ."]
FILES = {
    "gru": {"README.md", "config.json", "model.safetensors", "vocabulary.json"},
    "transformer": {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "encoder.json",
    },
}


@pytest.fixture(scope="module", params=["gru", "transformer"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "gru":
        return shutil.copytree(tiny.trained_run(), folder / "run")
    fields = {
        "model__name": "transformer",
        "encoder__pretrained": str(tiny_encoder.write_directory(folder / "tiny-bert")),
        "data__max_length": 64,
        "data__sizes": (8, 8, 8),
        "batching__buckets": (64,),
        "training__epochs": 1,
    }
    train(tiny.config(**fields), str(folder / "run"))
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run):
    export_model(TrainedRun(run), run.parent / "model")
    return run.parent / "model"


@pytest.fixture(scope="module")
def gru(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    export_model(TrainedRun(tiny.trained_run()), folder)
    return folder


def outputs(trained):
    """Of drawn masks: at arg-max the tiny model selects hardly anything."""
    records = list(Reviews("test", size=9))
    return trained.rationalize(trained.encode(records), sample_seed=3)


def test_it_explains_as_the_run_does_to_the_last_bit(run, exported):
    ours, wanted = n2r_jax.load(exported), n2r_jax.load(run)
    assert ours.explain(TEXTS) == wanted.explain(TEXTS)
    assert (ours.trained.which, ours.trained.step) == (wanted.trained.which, wanted.trained.step)
    found, expected = outputs(ours.trained), outputs(wanted.trained)
    assert 0 < found.mask.sum() < found.mask.size
    for name in ("scores", "mask", "probabilities", "norm"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_it_needs_nothing_of_the_run_and_holds_no_pickle_and_no_path(run, exported, tmp_path):
    kind = "transformer" if (run / "encoder.json").exists() else "gru"
    copy = shutil.copytree(exported, tmp_path / "elsewhere")
    assert {path.name for path in copy.iterdir()} == FILES[kind]
    assert safetensors.numpy.load_file(copy / "model.safetensors")
    for path in (p for p in copy.iterdir() if p.suffix != ".safetensors"):
        assert str(run.parent) not in path.read_text(encoding="utf-8")
    away = run.parent.rename(run.parent.with_name("away"))
    try:
        (found,) = n2r_jax.load(copy).explain(TEXTS[:1])
    finally:
        away.rename(run.parent)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_the_commands_take_it_for_a_run(gru, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)
    source = tiny.write_rows(tmp_path / "rows.jsonl", "test", 5)
    again, out = tmp_path / "again", tmp_path / "found.jsonl"
    for command in (
        ("explain", "--in", source, "--out", out),
        ("evaluate", "--data", source, "--out", tmp_path / "results.json"),
        ("export", "model", "--out", again),
        ("export", "iob2", "--data", source, "--out", tmp_path / "rows.iob2"),
    ):
        assert cli.main([*map(str, command), "--run", str(gru)]) == 0
    assert "vocabulary.json" in capsys.readouterr().out
    assert len(out.read_text().splitlines()) == 5
    assert (again / "model.safetensors").read_bytes() == (gru / "model.safetensors").read_bytes()


def test_its_card_has_the_scores_of_this_checkpoint_alone(tmp_path):
    run = shutil.copytree(tiny.trained_run(), tmp_path / "run")
    evaluate_command(str(run), faithfulness=True)
    for which, told in (("best", True), ("latest", False)):
        export_model(TrainedRun(run, which), tmp_path / which)
        card = (tmp_path / which / "README.md").read_text(encoding="utf-8")
        assert ("On reviews test (20 texts), arg-max masks" in card) == told
        assert ("| accuracy | 50.0 (" in card) == told
        assert ("comprehensiveness of the selected words" in card) == told
        assert "On dev" in card and f"| checkpoint | {which}, step" in card
        assert "`negative`, `positive`" in card and card.startswith("---\nlibrary_name: n2r_jax\n")


def test_a_folder_that_is_there_stays_as_it_is(gru, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match="exists already; name another --out"):
        export_model(TrainedRun(gru), tmp_path / "model")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        export_model(TrainedRun(gru), tmp_path / "file" / "model")
    assert {path.name for path in tmp_path.iterdir()} == {"model", "file"}


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


DAMAGES = {
    "a flipped bit": (lambda d: flip(d / "model.safetensors"), r"safetensors.*its checksum"),
    "no weights": (lambda d: (d / "model.safetensors").unlink(), "safetensors: cannot be read"),
    "a newer layout": (lambda d: change(d / "config.json", version=2), "layout 2.*a newer n2r_jax"),
    "other words": (lambda d: change(d / "vocabulary.json", words=["a"]), "their fingerprint"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_told_with_its_file(gru, tmp_path, name):
    damage, told = DAMAGES[name]
    copy = shutil.copytree(gru, tmp_path / "model")
    damage(copy)
    with pytest.raises(DataError, match=told):
        n2r_jax.load(copy)


def test_parameters_of_another_shape_are_named(gru, tmp_path):
    copy = shutil.copytree(gru, tmp_path / "model")
    content = json.loads((copy / "config.json").read_text())
    content["config"]["model"]["units"] = 5
    (copy / "config.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"extractor/.* is float32\[.*asks for float32\["):
        n2r_jax.load(copy)
