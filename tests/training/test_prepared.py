"""Inference with what is known of the words made once: the same results, on any devices."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from n2r_jax.data.batching import Batches
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.kernels import native
from n2r_jax.methods import METHODS, Settings, rationalize
from n2r_jax.models.gru_text import GRUText
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training import parallel, prepared
from n2r_jax.training.evaluation import evaluate_batches, make_evaluate_step

WORDS, LENGTHS = 5000, np.array([30, 1, 17, 24, 9, 30, 2, 12, 28, 5, 19])

if not native.available():
    pytest.skip("no C++ compiler here", allow_module_level=True)


@pytest.fixture(scope="module")
def method():
    table = np.random.default_rng(0).normal(size=(WORDS, 6)).astype(np.float32)
    table[0] = 0
    model = GRUText(table, units=5, classes=2, dropout_rate=0.2).model()
    objective = Objective(
        sparsity=0.2,
        lambda_sparsity=1.0,
        lambda_continuity=1.0,
        lambda_cross_entropy=1.0,
        lambda_norm=1.0,
        sparsity_per="batch",
        continuity="mean",
        max_length=32,
    )
    return METHODS["n2r"](model, Settings(objective))


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)
    size = LENGTHS.sum()
    return EncodedTexts(
        ids=rng.choice([0, 3, 7, 8, 4999], size).astype(np.int32),
        rationales=rng.integers(0, 2, size).astype(np.uint8),
        starts=np.concatenate([[0], np.cumsum(LENGTHS)]),
        labels=rng.integers(0, 2, len(LENGTHS)).astype(np.int32),
        annotated=rng.integers(0, 2, len(LENGTHS)).astype(bool),
        truncated=0,
    )


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(prepared, "FEWEST_TOKENS", 0)
    monkeypatch.setattr(prepared, "TOKENS_PER_WORD", 0)


def test_few_tokens_or_many_words_gain_nothing(method, texts, monkeypatch):
    assert prepared.own_words(method.model, texts) == (None, texts)
    monkeypatch.setattr(prepared, "FEWEST_TOKENS", len(texts.ids))
    words, _ = prepared.own_words(method.model, texts)
    assert words is None  # 5 words, filled up to 64, are too many for 177 tokens
    monkeypatch.setattr(prepared, "TOKENS_PER_WORD", 2)
    words, own = prepared.own_words(method.model, texts)
    np.testing.assert_array_equal(words, [0, 3, 7, 8, 4999] + [0] * 59)
    np.testing.assert_array_equal(words[own.ids], texts.ids)


def test_a_model_that_prepares_nothing_is_left_alone(method, texts, always):
    plain = dataclasses.replace(method.model, prepare=None)
    assert prepared.own_words(plain, texts) == (None, texts)
    assert prepared.prepare(plain, "params", None) == "params"


@pytest.mark.parametrize(("count", "rows"), [(1, 64), (65, 128), (300, 320), (20_000, 20_480)])
def test_tables_have_few_sizes(method, count, rows, always):
    ids, nothing = np.arange(count, dtype=np.int32), np.zeros(count, np.uint8)
    label, marked = np.zeros(1, np.int32), np.zeros(1, bool)
    texts = EncodedTexts(ids, nothing, np.array([0, count]), label, marked, 0)
    assert len(prepared.own_words(method.model, texts)[0]) == rows


def test_every_device_gives_the_same_as_from_vectors(method, texts, always):
    batches = Batches(texts, np.arange(len(texts)), (16, 32), 16, seed=None)
    params = parallel.replicate(method.model.init(jax.random.key(0), batches[0]))
    words, own = prepared.own_words(method.model, texts)
    own_batches = dataclasses.replace(batches, texts=own)
    ready = prepared.prepare(method.model, params, words)
    assert jax.device_count() == 8
    run = parallel.data_parallel_rows(partial(rationalize, method))
    plain, of_own = ([all_of[i] for i in range(len(batches))] for all_of in (batches, own_batches))
    for one, other in zip(plain, of_own, strict=True):
        expected = jax.device_get(run(params, parallel.shard(one)))
        got = jax.device_get(run(ready, parallel.shard(other)))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), got, expected)
    for key in (None, jax.random.key(3)):
        step = make_evaluate_step(method)
        expected = evaluate_batches(step, params, key, plain)
        got = evaluate_batches(step, ready, key, of_own)
        assert got == pytest.approx(expected, abs=1e-5)
