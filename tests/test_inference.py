"""A trained run over collections of texts: batches of few shapes, words prepared where it pays."""

import jax
import numpy as np
import pytest

from n2r_jax import inference
from n2r_jax.data.records import Record
from n2r_jax.data.reviews import Reviews
from n2r_jax.inference import TrainedRun
from n2r_jax.kernels import native
from n2r_jax.run_data import read_data
from n2r_jax.train import evaluation_key, make_evaluate, prepare
from n2r_jax.training import prepared
from n2r_jax.training.state import create_state
from tests import tiny


@pytest.fixture(scope="module")
def run():
    return TrainedRun(tiny.trained_run())


@pytest.fixture
def always(monkeypatch):
    """Words are prepared however few the tokens are."""
    if not native.available():
        pytest.skip("no C++ compiler here")
    monkeypatch.setattr(prepared, "FEWEST_TOKENS", 0)
    monkeypatch.setattr(prepared, "TOKENS_PER_WORD", 0)


def texts_of(run, *lengths):
    tokens = Reviews("test", size=1)[0].tokens
    return run.encode([Record(str(i), tokens[:length], 0) for i, length in enumerate(lengths)])


def compare(found, expected):
    for field in ("scores", "probabilities", "norm"):
        np.testing.assert_allclose(getattr(found, field), getattr(expected, field), atol=1e-5)
    np.testing.assert_array_equal(found.mask, expected.mask)


@pytest.mark.parametrize("seed", [None, 4])
def test_prepared_words_give_the_same_rationales(run, request, seed):
    texts = texts_of(run, 9, 30, 2, 17, 30, 1, 12, 25, 28, 4)
    expected = run.rationalize(texts, sample_seed=seed)
    request.getfixturevalue("always")
    assert prepared.own_words(run.method.model, texts)[0] is not None
    compare(run.rationalize(texts, sample_seed=seed), expected)


@pytest.mark.parametrize("method", ["n2r", "classifier", "aa_inputxgrad"])
def test_prepared_words_give_the_same_dev_metrics(tmp_path, request, method):
    config = tiny.config(method=method, evaluation__sample_masks=True)
    setup = prepare(config, read_data(config, inference.RunDirectory(tmp_path)))
    example = setup.data.train.batch([], 1, 8)
    state = create_state(setup.method, setup.optimizers, 0, example)
    keys = [None, evaluation_key(config)]
    expected = [make_evaluate(setup, keys)(state, i) for i in range(2)]
    request.getfixturevalue("always")
    found = [make_evaluate(setup, keys)(state, i) for i in range(2)]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert method != "n2r" or expected[0] != expected[1]


def test_a_text_has_its_own_place_whatever_its_length(run):
    lengths = (30, 3, 17)
    together = run.rationalize(texts_of(run, *lengths))
    for place, length in enumerate(lengths):
        alone = run.rationalize(texts_of(run, length))
        np.testing.assert_allclose(alone.scores[0], together.scores[place], atol=1e-5)
        assert not together.scores[place, length:].any()


def test_batches_have_few_sizes():
    assert jax.local_device_count() == 8
    sizes = {inference._rows(texts, 256) for texts in range(1, 1000)}
    assert sizes == {8, 16, 32, 64, 128, 256}
    assert inference._rows(20, 3) == 8
