"""Every config file loads, is locked, and says how it is run."""

import ast
import importlib
import pathlib

import pytest

from n2r_jax import assemble, assemble_model
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError
from n2r_jax.inputs import WordInputs
from n2r_jax.presets import describe, switches

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
SHARED = {"__init__", "base", "corpora", "yelp_hat", "sst", "beer_bert", "movies", "unirex"}
SHARED |= {"ba2motifs", "sst_minilm"}
ROWS = sorted(path.stem for path in CONFIGS.glob("*.py") if path.stem not in SHARED)


def load(name, preset="release"):
    get_config = importlib.import_module(f"configs.{name}").get_config
    # UNIREX's take a method in the preset's place, each with one of its own.
    return get_config() if name.startswith("unirex") else get_config(preset)


@pytest.mark.parametrize("name", ROWS)
def test_a_config_is_complete_locked_and_documented(name):
    config, base = load(name), importlib.import_module("configs.base").get_config()
    assert config.is_locked
    flat = assemble_flat(config.to_dict())
    assert flat.keys() == assemble_flat(base.to_dict()).keys()
    doc = ast.get_docstring(ast.parse((CONFIGS / f"{name}.py").read_text()))
    assert "python -m " in doc, "no command"
    assert "xpected" in doc, "no expected number"


def assemble_flat(tree, prefix=""):
    flat = {}
    for name, value in tree.items():
        inner = isinstance(value, dict)
        flat |= assemble_flat(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return flat


def test_there_is_a_config_for_every_gru_row_of_the_papers_tables():
    for dataset in ("beer_appearance", "beer_aroma", "hotel_service", "hotel_cleanliness"):
        for method in ("rnp", "n2r", "n2r_mmi"):
            config = load(f"{dataset}_{method}")
            assert config.method == method
            assert f"{config.data.name}_{config.data.aspect}" == dataset
            assert config.batching.batch_size == (128 if config.data.name == "beer" else 256)
            assert config.training.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("name", "argument", "method", "model", "shared", "length"),
    [
        ("sst", "dlm_fp", "dlm_fp", "transformer", False, 67),
        ("cose", "slm_fp,gru", "slm_fp", "gru", True, 77),
        ("transfer", "offenseval,aa_ig,gru", "aa_ig", "gru", False, 128),
        ("benzene", "slm_fp", "slm_fp", "gcn", True, 64),
    ],
)
def test_unirex_configs_take_a_method_and_a_model(name, argument, method, model, shared, length):
    config = importlib.import_module(f"configs.unirex_{name}").get_config(argument)
    assert (config.method, config.model.name) == (method, model)
    assert (config.encoder.shared, config.data.max_length) == (shared, length)
    assert assemble.length_buckets(config)[-1] == length


def test_what_a_unirex_config_does_not_know_is_told():
    for name, argument in (("sst", "dlm_fp,lstm"), ("transfer", "imdb")):
        with pytest.raises(UserError, match="choose"):
            importlib.import_module(f"configs.unirex_{name}").get_config(argument)


def test_presets_differ_in_every_switch_and_are_recorded():
    release, paper = (load("beer_aroma_n2r", preset) for preset in ("release", "paper"))
    assert release.objective.lambda_cross_entropy == 0.9
    assert paper.objective.sparsity_per == "input"
    assert not paper.objective.omega_in_update_1
    with release.unlocked():
        release.objective.lambda_norm = 5.0
        release.objective.lambda_cross_entropy = 1.0
    told = describe("release", release.objective.to_dict(), max_length=256)
    assert told == "release (changed: lambda_cross_entropy)"
    with pytest.raises(UserError, match="choose paper or release"):
        switches("papers", max_length=256)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("method", "n2rr", "choose rnp, n2r"),
        ("model.name", "lstm", "choose gru"),
        ("objective.continuity", "median", "choose mean or sum"),
    ],
)
def test_a_name_that_does_not_exist_is_told(field, value, told):
    import numpy as np

    config = load("test")
    with config.unlocked():
        config.update_from_flattened_dict({field: value})
    inputs = WordInputs(Vocabulary(("a", "b")), np.zeros((3, 16), np.float32))
    with pytest.raises(UserError, match=told):
        model = assemble_model.make_model(config, inputs, 2)
        assemble.make_method(config, model)


def test_buckets_end_at_the_maximum_length():
    config = load("beer_aroma_rnp")
    with config.unlocked():
        config.data.max_length = 100
    assert assemble.length_buckets(config) == (64, 100)


def test_scaled_vectors_have_one_length_and_the_unknown_word_stays_zero():
    import numpy as np

    table = np.array([[0, 0], [3, 4], [0.1, 0]], np.float32)
    np.testing.assert_allclose(
        assemble_model.scale_vectors(table, 2.0), [[0, 0], [1.2, 1.6], [2, 0]], rtol=1e-6
    )
