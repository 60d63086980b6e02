"""One pass over two halves of a text is what two passes give."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.methods import METHODS, Settings
from n2r_jax.methods.unirex.passes import divided_logits, masked_logits
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.halves import special_places
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.multiple_choice import multiple_choice
from n2r_jax.models.transformer_text import POOLINGS, TransformerText
from n2r_jax.objectives.unirex import UnirexObjective
from n2r_jax.training.step import encode, update_gradients
from tests.methods.unirex.test_extractors import OBJECTIVE, annotated
from tests.models import tiny_encoder
from tests.models.test_transformer_text import batch_of, some_mask, text_model

PAIRED = {"masking": "attention", "special_pieces": 4}
"""More special pieces than these texts have."""


def masks_of(batch):
    """Some words, no word and every word."""
    return jnp.stack([some_mask(batch), batch.valid * 0, batch.valid])


def two_passes(model, params, batch, masks):
    both = jnp.concatenate([masks, (1 - masks) * batch.valid[None]])
    found = jax.jit(lambda p, b: masked_logits(model, p, batch, b, None))(params, both)
    return found.reshape(2, len(masks), *found.shape[1:])


def one_pass(model, params, batch, masks):
    return jax.jit(lambda p, m: model.predict_halves(p, batch, m, None))(params, masks)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("rows", [3, 5])
def test_both_halves_are_what_a_pass_of_each_gives(pooling, rows):
    model, batch = text_model(pooling=pooling, **PAIRED), batch_of(rows=rows)
    params, masks = model.init(jax.random.key(0), batch), masks_of(batch)
    run = jax.jit(lambda b, m: model.predict_halves(params, b, m, None))
    expected = two_passes(model, params, batch, masks)
    counts = np.asarray(batch.weight > 0)
    found = np.asarray(run(batch, masks))
    np.testing.assert_allclose(found[:, :, counts], expected[:, :, counts], atol=3e-6)
    assert np.isfinite(found).all()
    assert np.ptp(found[:, :, 0], axis=(0, 1)).min() > 1e-3


def test_neither_half_sees_the_other():
    model, batch = text_model(**PAIRED), batch_of()
    params, mask = model.init(jax.random.key(0), batch), some_mask(batch)
    run = jax.jit(lambda b: model.predict_halves(params, b, mask[None], None)[:, 0])
    found = run(batch)
    for half, hidden in enumerate((1 - mask, mask)):
        of_piece = jnp.take_along_axis(hidden, jnp.maximum(batch.pieces.word, 0), axis=1)
        other = (of_piece > 0) & (batch.pieces.word >= 0)
        ids = jnp.where(other, 7, batch.pieces.ids)
        changed = run(batch._replace(pieces=batch.pieces._replace(ids=ids)))
        np.testing.assert_array_equal(found[half], changed[half])
        assert not np.allclose(found[1 - half][0], changed[1 - half][0], atol=1e-4)


def test_parts_of_the_masks_give_the_same():
    model, batch = text_model(**PAIRED), batch_of()
    params, masks = model.init(jax.random.key(0), batch), masks_of(batch)
    run = jax.jit(lambda m, n: divided_logits(model, params, batch, m, None, n), static_argnums=1)
    together = run(masks, 0)
    for at_once in (1, 4, 100):
        apart = run(masks, at_once)
        np.testing.assert_allclose(apart, together, atol=2e-6)


def test_dropout_is_every_pass_s_own():
    model, batch = text_model(encoder_dropout=0.3, **PAIRED), batch_of()
    params, mask = model.init(jax.random.key(0), batch), some_mask(batch)
    twice = jnp.stack([mask, mask])
    one, other = model.predict_halves(params, batch, twice, jax.random.key(1))[0]
    assert not np.allclose(one, other, atol=1e-3)
    again = model.predict_halves(params, batch, twice, jax.random.key(1))[0]
    np.testing.assert_array_equal(again[0], one)


@pytest.mark.parametrize("name", ["slm_fp", "dlm_fp", "aa_f"])
def test_a_methods_loss_and_gradients_stay_what_they_are(name):
    (plain, plain_metrics), (halves, metrics) = (found_by(name, special) for special in (0, 2))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), metrics, plain_metrics)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=3e-6), halves, plain)


def found_by(name, special_pieces):
    """A method's gradients and metrics, of one batch without dropout."""
    batch = annotated(batch_of(rows=5))
    of_model = {"masking": "attention", "special_pieces": special_pieces}
    model = text_model(shared=name == "slm_fp", **of_model)
    method = METHODS[name](model, Settings(OBJECTIVE, unirex=UnirexObjective(k=(20, 50))))
    params = model.init(jax.random.key(0), batch)
    update, encoded = method.updates[0], encode(method, params, batch)
    run = jax.jit(lambda p: update_gradients(method, update, p, encoded, batch, None, same))
    return run(params)


def same(sums):
    """Sums of the one device there is."""
    return sums


def test_one_pass_costs_half_of_two():
    model, batch = text_model(**PAIRED | {"special_pieces": 2}), batch_of()
    params, masks = model.init(jax.random.key(0), batch), masks_of(batch)

    def products(predict):
        text = jax.jit(jax.grad(predict)).lower(params).as_text()
        sizes = [
            line.rsplit("tensor<", 1)[1] for line in text.splitlines() if "dot_general" in line
        ]
        return sum(int(np.prod([int(n) for n in s.split("xf32")[0].split("x")])) for s in sizes)

    one = products(lambda p: one_pass(model, p, batch, masks).sum())
    two = products(lambda p: two_passes(model, p, batch, masks).sum())
    assert 0 < one < 0.75 * two


def test_answers_of_a_question_are_chosen_among():
    model, batch = text_model(**PAIRED | {"classes": 1}), batch_of(rows=6)
    params, masks = model.init(jax.random.key(0), batch), masks_of(batch)
    question = multiple_choice(model, 3)
    found = one_pass(question, params, batch, masks)
    assert found.shape == (2, 3, 6, 3)
    expected = two_passes(question, params, batch, masks)
    np.testing.assert_allclose(found[:, :, :3], expected[:, :, :3], atol=3e-6)


def test_only_hidden_pieces_can_be_divided_and_special_ones_must_be_known():
    batch = batch_of()
    assert text_model(**PAIRED).divides(batch)
    for masking in ("zeroed", "compaction"):
        assert not text_model(masking=masking, special_pieces=2).divides(batch)
    assert not text_model(masking="attention").divides(batch)


@pytest.mark.parametrize(("length", "in_one"), [(24, False), (12, True)])
def test_bigbird_divides_texts_that_it_attends_to_fully(length, in_one):
    config = tiny_encoder.CONFIG | {"model_type": "big_bird", "hidden_act": "gelu_new"}
    config |= {"block_size": 2, "num_random_blocks": 1}  # sparse beyond 14 pieces
    predictor = make_encoder(config, EncoderOptions(soft_visibility=True))
    text = TransformerText(predictor, predictor, 2, 0.0, masking="attention", special_pieces=2)
    model, batch = text.model(), batch_of(length=length, texts=["the staff was kind", "unkind !"])
    assert model.divides(batch) == in_one
    if in_one:
        params, masks = model.init(jax.random.key(0), batch), masks_of(batch)
        found = one_pass(model, params, batch, masks)
        expected = two_passes(model, params, batch, masks)
        np.testing.assert_allclose(found[:, :, :2], expected[:, :, :2], atol=3e-6)


def test_special_pieces_are_counted_by_the_tokeniser():
    assert tiny_encoder.wordpiece().special_pieces == 3  # of a pair
    assert tiny_encoder.byte_level().special_pieces == 0  # of a pair it makes no frame
    special = jnp.asarray([[True, False, True, False], [True, False, False, False]])
    np.testing.assert_array_equal(special_places(special, 3), [[0, 2, 4], [0, 4, 4]])
