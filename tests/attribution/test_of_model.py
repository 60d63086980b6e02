"""Attributions of the models: a GRU over words, a transformer over pieces; their derivatives."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.attribution import ATTRIBUTIONS, convergence_delta, integrated_gradients
from n2r_jax.attribution.of_model import class_logit, unit_attributions
from n2r_jax.errors import UserError
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.gru_text import GRUText
from n2r_jax.models.transformer_text import TransformerText
from tests.models import test_gru_text, test_transformer_text, tiny_encoder

CHOSEN = jnp.array([0, 1, 1, 0])
MODELS = pytest.mark.parametrize("kind", ["gru", "transformer"])


@functools.cache
def made(kind):
    if kind == "gru":
        table = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
        table[0] = 0
        model = GRUText(table, units=5, classes=2, dropout_rate=0.3).model()
        batch = test_gru_text.batch_of(20)
    else:
        config = tiny_encoder.CONFIG | {"num_hidden_layers": 1}
        encoder = make_encoder(config, EncoderOptions(dtype="bfloat16"))
        model = TransformerText(encoder, encoder, classes=2, dropout_rate=0.3).model()
        batch = test_transformer_text.batch_of()
    return model, model.init(jax.random.key(0), batch), batch


def settings_of(name):
    return {"key": jax.random.key(1), "samples": 3} if name == "gradient_shap" else {}


def found(kind, name, params=None, **settings):
    model, own, batch = made(kind)

    def units(params):
        everything = (model, params, batch, batch.valid, CHOSEN)
        return unit_attributions(name, *everything, **settings_of(name), **settings)

    return np.asarray(jax.jit(units)(own if params is None else params))


@MODELS
@pytest.mark.parametrize("name", list(ATTRIBUTIONS))
def test_every_algorithm_attributes_to_real_units_alone(kind, name):
    batch = made(kind)[2]
    if (kind, name) == ("gru", "deep_lift"):
        with pytest.raises(UserError, match="take integrated_gradients"):
            found(kind, name)
        return
    values = found(kind, name)
    real = np.asarray(batch.valid) > 0
    assert values.shape == real.shape and np.isfinite(values).all()
    assert not values[~real].any() and (values[real] != 0).mean() > 0.9


@MODELS
def test_integrated_gradients_of_a_model_are_complete(kind):
    model, params, batch = made(kind)
    source = model.from_vectors

    @jax.jit
    def run(params):
        target = class_logit(model, params, batch, batch.valid, CHOSEN)
        x, baseline = source.vectors(params, batch), source.baseline(params, batch)
        values = integrated_gradients(target, x, baseline, steps=64)
        delta = convergence_delta(target, values, x, baseline)
        logits = model.predict(params, batch, batch.valid, None).logits
        return values, delta, target(x) - logits[jnp.arange(4), CHOSEN], target(baseline)

    values, delta, difference, at_baseline = run(params)
    # The transformer itself computes in bfloat16, what is attributed to in float32.
    np.testing.assert_allclose(difference, 0, atol=1e-5 if kind == "gru" else 0.03)
    np.testing.assert_allclose(delta, 0, atol=0.02 * np.abs(at_baseline).max())
    if kind == "transformer":
        assert not np.asarray(values)[np.asarray(batch.pieces.word) < 0].any()


def test_full_rescale_changes_the_slopes_of_every_layer():
    assert np.abs(found("transformer", "deep_lift", rule="full_rescale")).max() < 1e3
    pooler, full = (found("transformer", "deep_lift", rule=r) for r in ("pooler", "full_rescale"))
    assert np.abs(pooler - full).max() > 1e-3


def second_order_loss(kind, name):
    """A loss on attributions, of a factor of the predictor's parameters and one of its vectors."""
    model, params, batch = made(kind)
    heard = np.cos(np.arange(batch.valid.size)).reshape(batch.valid.shape)

    def loss(scale, scale_words):
        predictor = jax.tree.map(lambda leaf: leaf * scale, params["predictor"])
        changed = params | {"predictor": predictor}
        if kind == "gru":
            changed["embedding"] = {"table": params["embedding"]["table"] * scale_words}
        else:
            embeddings = predictor["encoder"]["embeddings"]
            words = embeddings | {"word": embeddings["word"] * scale_words}
            changed["predictor"] = predictor | {
                "encoder": predictor["encoder"] | {"embeddings": words}
            }
        everything = (model, changed, batch, batch.valid, CHOSEN)
        settings = {"steps": 2, "chunk": 1} if name == "integrated_gradients" else {}
        values = unit_attributions(name, *everything, aa_grad="second_order", **settings)
        return (values * heard).sum()

    return loss


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("gru", "integrated_gradients"),
        ("transformer", "integrated_gradients"),
    ],
)
def test_second_order_is_the_whole_derivative(kind, name):
    loss, step = second_order_loss(kind, name), 2e-3
    run = jax.jit(jax.value_and_grad(loss, (0, 1)))
    slopes = run(1.0, 1.0)[1]
    by_scale = (run(1 + step, 1.0)[0] - run(1 - step, 1.0)[0]) / (2 * step)
    by_words = (run(1.0, 1 + step)[0] - run(1.0, 1 - step)[0]) / (2 * step)
    np.testing.assert_allclose(slopes, (by_scale, by_words), rtol=0.03, atol=2e-3)


@MODELS
@pytest.mark.parametrize("name", ["integrated_gradients", "gradient"])
def test_first_order_reaches_the_vectors_alone_and_through_the_factor(kind, name):
    model, params, batch = made(kind)

    def loss(params):
        everything = (model, params, batch, batch.valid, CHOSEN)
        return unit_attributions(name, *everything).sum()

    slopes = jax.jit(jax.grad(loss))(params)
    words = ("embedding",) if kind == "gru" else ("predictor", "encoder", "embeddings", "word")
    reached = [
        (tuple(key.key for key in path), np.asarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(slopes)
        if np.asarray(leaf).any()
    ]
    if name == "gradient":
        assert not reached
        return
    assert [path[: len(words)] for path, _ in reached] == [words]
    assert not reached[0][1][0].any()  # the padding's vector


def test_a_model_without_vectors_is_refused():
    model, params, batch = made("gru")
    bare = dataclasses.replace(model, from_vectors=None)
    with pytest.raises(UserError, match="nothing that has vectors"):
        unit_attributions("gradient", bare, params, batch, batch.valid, CHOSEN)
