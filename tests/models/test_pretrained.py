"""Hugging Face directories: every tensor is used or named, every mistake is told in one line."""

import json
import os
import pathlib
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from n2r_jax.errors import DataError, UserError
from n2r_jax.models import pretrained
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.interface import EncoderOptions
from tests.models.encoders import tiny

EMBEDDINGS = pathlib.Path(__file__).parent / "minilm_embeddings.npz"
PLAIN = EncoderOptions()
POOLER = ("pooler.dense.weight", "pooler.dense.bias")


@pytest.fixture(params=tiny.ALL)
def written(request, tmp_path):
    """(encoder, its parameters, a directory that holds them)."""
    return write(tmp_path, tiny.ALL[request.param])


@pytest.fixture
def bert(tmp_path):
    return write(tmp_path, tiny.BERT)


def write(directory, config):
    encoder = make_encoder(config, PLAIN)
    params = jax.jit(encoder.init)(tiny.KEY)
    (directory / "config.json").write_text(json.dumps(config))
    pretrained.write_weights(directory / "model.safetensors", encoder, params)
    return encoder, params, directory


def tensors_of(directory):
    return safetensors.numpy.load_file(directory / "model.safetensors")


def rewrite(directory, tensors):
    safetensors.numpy.save_file(tensors, directory / "model.safetensors")


def assert_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_what_was_written_is_read(written):
    _, params, directory = written
    encoder = make_encoder(pretrained.read_config(directory), PLAIN)
    found = pretrained.read_weights(directory, encoder)
    assert_equal(found.params, params)
    assert (found.ignored, found.fresh) == ((), ())
    assert not list(directory.glob("*.partial"))


def test_a_model_with_a_head_gives_its_encoder_and_names_the_rest(written):
    encoder, params, directory = written
    prefix = pretrained.read_config(directory)["model_type"] + "."
    tensors = {prefix + name: tensor for name, tensor in tensors_of(directory).items()}
    heads = ("classifier.weight", "cls.predictions.bias", prefix + "embeddings.position_ids")
    rewrite(directory, tensors | {name: np.zeros((1, 3), np.int64) for name in heads})
    found = pretrained.read_weights(directory, encoder)
    assert_equal(found.params, params)
    assert found.ignored == tuple(sorted(heads))


def test_layer_norms_of_old_checkpoints_are_called_gamma_and_beta(bert):
    encoder, params, directory = bert
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = {}
    for name, tensor in tensors_of(directory).items():
        stem, _, last = name.rpartition("LayerNorm.")
        tensors[stem + old["LayerNorm." + last] if stem else name] = tensor
    assert "embeddings.LayerNorm.gamma" in tensors
    rewrite(directory, tensors)
    assert_equal(pretrained.read_weights(directory, encoder).params, params)


def test_several_files_are_read_as_one(bert):
    encoder, params, directory = bert
    tensors = tensors_of(directory)
    (directory / "model.safetensors").unlink()
    weight_map = {}
    for place, name in enumerate(tensors):
        weight_map[name] = f"model-0000{1 + place % 3}-of-00003.safetensors"
    for file in set(weight_map.values()):
        part = {name: tensors[name] for name in tensors if weight_map[name] == file}
        safetensors.numpy.save_file(part, directory / file)
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert_equal(pretrained.read_weights(directory, encoder).params, params)
    (directory / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(DataError, match=r"lists 'model-00002-of-00003\.safetensors', which is"):
        pretrained.read_weights(directory, encoder)
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(DataError, match=r"'\.\./elsewhere.safetensors', which is not beside it"):
        pretrained.read_weights(directory, encoder)
    index.write_text("{}")
    with pytest.raises(DataError, match="has no weight_map"):
        pretrained.read_weights(directory, encoder)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_of_other_types_become_float32(bert, dtype):
    encoder, params, directory = bert
    tensors = {n: t.astype(jnp.dtype(dtype)) for n, t in tensors_of(directory).items()}
    rewrite(directory, tensors)
    found = pretrained.read_weights(directory, encoder).params
    expected = jax.tree.map(lambda a: np.asarray(a).astype(dtype).astype(np.float32), params)
    assert_equal(found, expected)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}


def test_a_missing_pooler_is_drawn_from_the_key_and_named(bert):
    encoder, params, directory = bert
    rest = {n: t for n, t in tensors_of(directory).items() if n not in POOLER}
    rewrite(directory, rest)
    first, again, other = (
        pretrained.read_weights(directory, encoder, jax.random.key(seed)) for seed in (1, 1, 2)
    )
    assert set(first.fresh) == set(POOLER)
    assert_equal(first.params, again.params)
    kernels = [np.asarray(found.params["pooler"]["kernel"]) for found in (first, other)]
    assert 0.2 < kernels[0].std() < 0.4  # the config's initializer_range is 0.3
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1
    del first.params["pooler"], params["pooler"]
    assert_equal(first.params, params)


def test_missing_tensors_are_named(bert):
    encoder, _, directory = bert
    rest = {n: t for n, t in tensors_of(directory).items() if not n.startswith("encoder.layer.1.")}
    rewrite(directory, rest)
    line = r"16 tensors are missing from the weights: encoder.layer.1.*and 11 more; take the config"
    with pytest.raises(DataError, match=line):
        pretrained.read_weights(directory, encoder)
    rewrite(directory, {n: t for n, t in tensors_of(directory).items() if n != POOLER[1]})
    with pytest.raises(DataError, match="17 tensors are missing"):  # half a pooler is a gap too
        pretrained.read_weights(directory, encoder)


def refused(directory, config=tiny.BERT):
    """The one line that reading the weights ends with."""
    with pytest.raises(DataError) as caught:
        pretrained.read_weights(directory, make_encoder(config, PLAIN))
    line = str(caught.value)
    assert "\n" not in line
    assert str(directory) in line
    return line


def test_a_shape_that_does_not_fit_is_told_with_both_shapes(bert):
    _, _, directory = bert
    name = "encoder.layer.0.intermediate.dense.weight"
    line = refused(directory, tiny.BERT | {"intermediate_size": 20})
    assert "'encoder.layer.0.intermediate.dense.bias' has the shape [24]" in line
    rewrite(directory, tensors_of(directory) | {name: np.zeros((16, 24), np.float32)})
    assert f"{name!r} has the shape [16, 24], config.json asks for [24, 16]" in refused(directory)


def test_tensors_of_other_types_and_doubled_ones_are_refused(bert):
    _, _, directory = bert
    tensors, name = tensors_of(directory), "embeddings.LayerNorm.bias"
    rewrite(directory, tensors | {name: np.zeros(16, np.int8)})
    assert f"{name!r} is of type int8" in refused(directory)
    rewrite(directory, tensors | {"bert." + name: tensors[name]})
    assert f"{name!r} is there twice" in refused(directory)


def test_a_pickle_is_refused_with_the_reason_and_the_mend(bert):
    _, _, directory = bert
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    line = refused(directory)
    assert "a pickle, which may run any code when it is opened" in line
    assert "save_pretrained" in line


def test_damaged_and_missing_weights_are_told(bert):
    _, _, directory = bert
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert "is no whole safetensors file" in refused(directory)
    path.unlink()
    assert "neither model.safetensors nor model.safetensors.index.json is here" in refused(
        directory
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "config.json: cannot be read"),
        ("{", "config.json: is not JSON"),
        ("[]", "config.json: is not a JSON object"),
        ('{"model_type": "gpt2"}', "model_type 'gpt2' is not known; take one of bert, "),
    ],
)
def test_a_config_that_cannot_be_used_is_told(tmp_path, content, line):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=line) as caught:
        pretrained.read_config(tmp_path)
    assert "\n" not in str(caught.value)


def hub(monkeypatch, download):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)


def test_a_local_directory_comes_before_the_hub(tmp_path, monkeypatch):
    def fetch(name, allow_patterns):
        assert "config.json" in allow_patterns
        assert not any(".bin" in pattern for pattern in allow_patterns)
        return str(tmp_path / name)

    hub(monkeypatch, fetch)
    assert pretrained.find_pretrained(str(tmp_path)) == tmp_path
    assert pretrained.find_pretrained("someone/bert") == tmp_path / "someone/bert"


@pytest.mark.parametrize("kind", ["LocalEntryNotFoundError", "OSError", "HFValidationError"])
def test_a_name_that_cannot_be_had_is_told(monkeypatch, kind):
    from huggingface_hub import errors

    def fail(name, allow_patterns):
        raise getattr(errors, kind, OSError)("no network\nand a long story")

    hub(monkeypatch, fail)
    line = r"someone/bert: neither a directory here nor .*\(no network\); check the name"
    with pytest.raises(UserError, match=line) as caught:
        pretrained.find_pretrained("someone/bert")
    assert "\n" not in str(caught.value)


def test_without_the_hubs_package_the_mend_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="pip install huggingface_hub"):
        pretrained.find_pretrained("someone/bert")


@pytest.mark.parametrize("name", ["./not/here", "/nowhere/at/all", "a/b/c", "config.json"])
def test_a_path_that_is_no_directory_is_no_hub_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no such directory; give a directory with config"):
        pretrained.find_pretrained(name)


def test_real_weights_give_the_librarys_sentence_embeddings():
    """all-MiniLM-L6-v2: means of the visible pieces' states, recorded with transformers."""
    directory = os.environ.get("N2R_MINILM")
    if not directory:
        pytest.skip("N2R_MINILM names no directory of all-MiniLM-L6-v2")
    encoder = make_encoder(pretrained.read_config(directory), PLAIN)
    params = pretrained.read_weights(directory, encoder).params
    with np.load(EMBEDDINGS) as file:
        recorded = types.SimpleNamespace(**{name: file[name] for name in file.files})
    ids, visible = jnp.asarray(recorded.ids), jnp.asarray(recorded.visible)
    states = tiny.encoded(encoder, params, ids, visible, jnp.zeros_like(ids)).states
    means = (states * visible[:, :, None]).sum(1) / visible.sum(1)[:, None]
    found = means / jnp.linalg.norm(means, axis=1, keepdims=True)
    assert np.abs(found - recorded.embeddings).max() < 1e-6
