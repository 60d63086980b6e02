"""The GRU model: padding never counts, and the predictor sees the selected tokens alone."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from n2r_jax.data.batch import Batch
from n2r_jax.kernels import native
from n2r_jax.models.gru_text import GRUText
from n2r_jax.models.mlp import Shape

LENGTHS = np.array([20, 9, 1, 0])
ROWS, WORDS, DIMENSION, UNITS = len(LENGTHS), 30, 6, 5


def batch_of(length: int) -> Batch:
    """The same texts padded to `length`."""
    tokens = np.random.default_rng(1).integers(1, WORDS, (ROWS, LENGTHS.max()))
    tokens = np.pad(tokens, ((0, 0), (0, length - LENGTHS.max())))
    tokens = tokens * (np.arange(length) < LENGTHS[:, None])
    empty, ones = np.zeros((ROWS, length), np.int32), np.ones(ROWS, np.float32)
    columns = (tokens, LENGTHS, np.zeros(ROWS, np.int32), ones, np.arange(ROWS), empty, ones)
    return Batch(*map(jnp.asarray, columns))


@pytest.fixture(scope="module")
def made():
    table = np.random.default_rng(0).normal(size=(WORDS, DIMENSION)).astype(np.float32)
    table[0] = 0
    model = GRUText(table, units=UNITS, classes=2, dropout_rate=0.3).model()
    return model, model.init(jax.random.key(0), batch_of(20))


@pytest.mark.parametrize("key", [None, jax.random.key(5)])
def test_padding_never_changes_scores_or_logits(made, key):
    model, params = made
    found = []
    for length in (20, 27, 64):
        batch = batch_of(length)
        scores = model.score(params, model.encode(params, batch), batch, key)
        mask = (scores > 0) * batch.valid
        found.append(
            (scores[:, :20] * batch.valid[:, :20], model.predict(params, batch, mask, key))
        )
    for other in found[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), other, found[0])


def test_unselected_tokens_never_change_the_prediction(made):
    model, params = made
    batch = batch_of(20)
    mask = (jnp.arange(20) % 3 == 0)[None] * batch.valid
    changed = batch._replace(tokens=jnp.where(mask > 0, batch.tokens, 7))
    predict = jax.jit(model.predict)
    jax.tree.map(
        np.testing.assert_array_equal,
        predict(params, changed, mask, None),
        predict(params, batch, mask, None),
    )


def test_a_row_without_tokens_has_no_representation(made):
    model, params = made
    batch = batch_of(20)
    prediction = model.predict(params, batch, batch.valid, None)
    np.testing.assert_array_equal(prediction.representation[-1], 0)
    assert np.isfinite(np.asarray(prediction.logits)).all()


def test_the_score_is_layer_norm_and_a_difference_of_two_logits(made):
    model, params = made
    batch = batch_of(20)
    states = model.encode(params, batch)
    own = params["extractor"] | {"scale": jnp.arange(1.0, 11), "offset": jnp.arange(10.0) - 4}
    got = model.score(params | {"extractor": own}, states, batch, None)
    own = jax.tree.map(np.asarray, own)
    both = np.concatenate(states, 1).transpose(2, 0, 1)
    normed = (both - both.mean(-1, keepdims=True)) / np.sqrt(both.var(-1, keepdims=True) + 1e-5)
    normed = normed * own["scale"] + own["offset"]
    logits = normed @ own["head"]["kernel"].T + own["head"]["bias"]
    np.testing.assert_allclose(got, logits[..., 1] - logits[..., 0], rtol=1e-4, atol=1e-4)


def test_scores_have_the_gradient_of_their_definition(made):
    model, params = made
    batch = batch_of(20)
    states = model.encode(params, batch)
    key = jax.random.key(2)

    def loss(states, extractor):
        scores = model.score({"extractor": extractor}, states, batch, key)
        return (jnp.sin(scores) * batch.valid).sum()  # a state of zeros has a slope of 1 / 0.003

    jax.test_util.check_grads(
        loss, (states, params["extractor"]), 1, ("rev",), atol=0.05, rtol=0.05, eps=1e-2
    )


@pytest.mark.parametrize("unit_classes", [0, 3])
def test_an_mlp_scores_the_normed_states(unit_classes):
    table = np.random.default_rng(0).normal(size=(WORDS, DIMENSION)).astype(np.float32)
    sizes = {"units": UNITS, "classes": 2, "dropout_rate": 0.3, "unit_classes": unit_classes}
    model, batch = GRUText(table, score_head=Shape(7, 2), **sizes).model(), batch_of(20)
    assert model.prepare is None
    params = model.init(jax.random.key(1), batch)
    states = model.encode(params, batch)
    found = model.score(params, states, batch, None)
    both = np.concatenate(states, 1).transpose(2, 0, 1)
    x = (both - both.mean(-1, keepdims=True)) / np.sqrt(both.var(-1, keepdims=True) + 1e-5)
    head = params["extractor"]["head"]
    for layer in range(3):
        own = head[f"linear_{layer}"]
        x = (np.maximum(x, 0) if layer else x) @ np.asarray(own["kernel"])
        x = x + np.asarray(own["bias"])
    np.testing.assert_allclose(found, x if unit_classes else x[..., 0], atol=2e-5)
    dropped = model.score(params, states, batch, jax.random.key(0))
    assert not np.allclose(dropped, found, atol=1e-3)


def test_one_gru_for_both_is_two_that_are_the_same():
    table = np.random.default_rng(0).normal(size=(WORDS, DIMENSION)).astype(np.float32)
    sizes = {"units": UNITS, "classes": 2, "dropout_rate": 0.3}
    batch, key = batch_of(20), jax.random.key(3)
    one, two = GRUText(table, shared=True, **sizes).model(), GRUText(table, **sizes).model()
    shared = one.init(key, batch)
    assert set(shared) == {"embedding", "encoder", "extractor", "predictor"}
    assert (one.encodes, one.shared, two.shared) == (("encoder",), ("encoder",), ())
    apart = two.init(key, batch)
    for group in ("extractor", "predictor"):
        apart[group] = shared["encoder"] | shared[group]
    found = []
    for model, params in ((one, shared), (two, apart)):
        scores = model.score(params, model.encode(params, batch), batch, key)
        found.append((scores, model.predict(params, batch, batch.valid, key)))
    jax.tree.map(np.testing.assert_array_equal, *found)


@pytest.mark.skipif(not native.available(), reason="no C++ compiler here")
@pytest.mark.parametrize(
    ("padding", "shared"), [("exact", False), ("release", False), ("exact", True)]
)
def test_prepared_for_some_words_it_does_the_same(padding, shared):
    table = np.random.default_rng(0).normal(size=(WORDS, DIMENSION)).astype(np.float32)
    table[0] = 0
    sizes = {"units": UNITS, "classes": 2, "dropout_rate": 0.3}
    model = GRUText(table, padding=padding, shared=shared, **sizes).model()
    batch = batch_of(24)
    params = model.init(jax.random.key(1), batch)
    words = np.union1d(batch.tokens, [0])
    prepared = params | model.prepare(params, words)
    own = batch._replace(tokens=jnp.asarray(np.searchsorted(words, batch.tokens)))
    mask = jnp.asarray(np.random.default_rng(2).integers(0, 2, batch.tokens.shape), jnp.float32)
    found = []
    for given, texts in ((params, batch), (prepared, own)):
        scores = model.score(given, model.encode(given, texts), texts, None)
        found.append((scores, model.predict(given, texts, mask * batch.valid, None)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), *found)
    looked_up = model.from_vectors.vectors  # attributions go on from the vectors
    np.testing.assert_array_equal(looked_up(prepared, own), looked_up(params, batch))
    with pytest.raises(ValueError, match="inference"):
        model.score(prepared, model.encode(prepared, own), own, jax.random.key(0))


@pytest.mark.skipif(not native.available(), reason="no C++ compiler here")
def test_a_predictor_without_an_extractor_is_prepared_alone(made):
    model, params = made
    alone = {group: params[group] for group in ("embedding", "predictor")}
    projected = model.prepare(alone, jnp.arange(3))["embedding"]["projected"]
    assert list(projected) == ["predictor"]
    assert projected["predictor"][1].shape == (3, 16)


def test_nothing_is_prepared_where_nothing_was_compiled(monkeypatch):
    monkeypatch.setattr(native, "suits", lambda _: False)
    table = np.zeros((WORDS, DIMENSION), np.float32)
    assert GRUText(table, units=UNITS, classes=2, dropout_rate=0).model().prepare is None
