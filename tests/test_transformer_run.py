"""A run on a pretrained transformer from the launch to the explanation; bad input in one line."""

import json
import shutil

import numpy as np
import pytest

import n2r_jax
from n2r_jax.errors import DataError, UserError
from n2r_jax.evaluate import evaluate
from n2r_jax.train import train
from tests import tiny
from tests.models import tiny_encoder


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tiny_encoder.write_directory(tmp_path_factory.mktemp("hub") / "tiny-bert")


def config(directory, **changes):
    fields = {
        "model__name": "transformer",
        "encoder__pretrained": str(directory),
        "data__max_length": 64,
        "data__sizes": (16, 8, 8),
        "batching__buckets": (64,),
        "training__epochs": 1,
        "training__schedule": "linear",
        "training__warmup": 0.25,
        "encoder__layer_decay": 0.9,
    }
    return tiny.config(**(fields | changes))


@pytest.fixture(scope="module")
def run(directory, tmp_path_factory):
    made = tmp_path_factory.mktemp("runs") / "transformer"
    train(config(directory), str(made))
    return made


def test_a_run_needs_the_pretrained_directory_no_more(run, tmp_path, directory):
    copy = shutil.copytree(run, tmp_path / "copy")
    away = directory.rename(directory.with_name("moved"))
    try:
        (found,) = n2r_jax.load(copy).explain(["The staff were wonderfully kind , truly ."])
        report, _ = evaluate(copy)
    finally:
        away.rename(directory)
    assert found.tokens[3] == "wonderfully" and len(found.mask) == len(found.tokens)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert report.task["inputs"] == 8


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_bit_by_bit(directory, tmp_path):
    constant = {"training__schedule": "constant", "training__warmup": 0.0}
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    train(config(directory, training__epochs=2, **constant), str(straight))
    for epochs in (1, 2):
        train(config(directory, training__epochs=epochs, **constant), str(halves))
    assert tiny.lines(straight) == tiny.lines(halves)
    assert tiny.sealed(straight)[1]["checksums"] == tiny.sealed(halves)[1]["checksums"]


def test_a_text_may_be_longer_than_the_encoder_reads(run):
    words = [f"w{i}" for i in range(200)]
    (found,) = n2r_jax.load(run).explain([words])
    assert len(found.mask) == 200 and not any(found.mask[62:])


def test_an_altered_tokeniser_is_noticed(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    content = json.loads((copy / "tokenizer.json").read_text())
    (copy / "tokenizer.json").write_text(json.dumps(content, indent=1))
    with pytest.raises(DataError, match=r"tokenizer\.json.*does not match its checksum"):
        n2r_jax.load(copy)


IMPOSSIBLE = {
    "no directory named": ({"encoder__pretrained": ""}, "name a Hugging Face directory"),
    "longer than positions": ({"data__max_length": 65}, "more than the 64 pieces"),
    "unknown masking": ({"encoder__masking": "erase"}, "zeroed or attention or compaction"),
    "decay": ({"encoder__layer_decay": 0.0}, "above 0 and at most 1"),
    "warm-up": ({"training__warmup": 1.0}, "from 0 to below 1"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_work_is_told_in_one_line(directory, tmp_path, name):
    changes, told = IMPOSSIBLE[name]
    with pytest.raises(UserError, match=told) as raised:
        train(config(directory, **changes), str(tmp_path / "run"))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.slow
def test_two_seeds_train_as_one_program(directory, tmp_path):
    from n2r_jax.train_several import train_several

    own = config(directory, encoder__shared=True, encoder__dropout=0.0)
    with own.unlocked():
        own.seeds = (1, 2)
    train_several(own, str(tmp_path))
    alone = config(directory, encoder__shared=True, encoder__dropout=0.0, seed=2)
    train(alone, str(tmp_path / "alone"))
    ours, wanted = tiny.parameters(tmp_path / "seed=2"), tiny.parameters(tmp_path / "alone")
    assert set(ours) == set(wanted) == {"encoder", "extractor", "predictor"}
    np.testing.assert_allclose(
        ours["encoder"]["layer_1"]["attention"]["query"]["kernel"],
        wanted["encoder"]["layer_1"]["attention"]["query"]["kernel"],
        atol=1e-5,
    )


def test_weights_that_cannot_be_read_are_told_before_anything_is_written(tmp_path):
    hub = tiny_encoder.write_directory(tmp_path / "hub")
    (hub / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"neither model\.safetensors nor"):
        train(config(hub), str(tmp_path / "run"))
    tiny_encoder.write_directory(hub, intermediate_size=20)
    (hub / "config.json").write_text(json.dumps(tiny_encoder.CONFIG))
    with pytest.raises(DataError, match=r"intermediate.*\[20\].*\[24\]"):
        train(config(hub), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
