"""What the predictor may see, in each way of masking; what an update moves; how it splits up."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.data.pieces import encode_pieces
from n2r_jax.data.records import Record
from n2r_jax.methods import METHODS, Settings, rationalize
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.transformer_text import MASKINGS, POOLINGS, TransformerText
from n2r_jax.models.word_pieces import WORD_SCORES, compact, piece_mask, word_scores
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training.state import create_state
from n2r_jax.training.step import make_train_step
from tests.models import tiny_encoder

TEXTS = ["the staff was wonderfully kind", "unkind !", "the room was clean , the staff kind"]
OBJECTIVE = Objective(0.3, 1.0, 1.0, 0.9, 1.0, "batch", "mean", max_length=24)


def batch_of(rows=4, length=24, texts=TEXTS):
    records = [Record(str(i), tuple(text.split()), i % 2) for i, text in enumerate(texts)]
    encoded = encode_pieces(records, tiny_encoder.wordpiece(), max_length=24)
    return jax.tree.map(jnp.asarray, encoded.batch(range(len(texts)), rows, length))


def text_model(**changes):
    dropout = changes.pop("encoder_dropout", 0.0)
    soft = changes.get("masking") == "attention"
    extractor, predictor = (
        make_encoder(tiny_encoder.CONFIG, EncoderOptions(dropout=dropout, soft_visibility=s))
        for s in (False, soft)
    )
    fields = {"classes": 2, "dropout_rate": 0.0, "encoder_drops": dropout > 0} | changes
    return TransformerText(extractor, predictor, **fields).model()


def some_mask(batch, seed=0):
    drawn = np.random.default_rng(seed).integers(0, 2, batch.tokens.shape)
    return jnp.asarray(drawn, jnp.float32) * batch.valid


def other_words(batch, mask, seed=1):
    """The same texts with other ids in every piece of an unselected word."""
    hidden = (piece_mask(mask, batch.pieces) == 0) & (batch.pieces.visible > 0)
    drawn = np.random.default_rng(seed).integers(4, 30, batch.pieces.ids.shape)
    ids = jnp.where(hidden, jnp.asarray(drawn), batch.pieces.ids)
    return batch._replace(pieces=batch.pieces._replace(ids=ids))


@pytest.mark.parametrize("masking", MASKINGS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_unselected_words_never_change_the_prediction(masking, pooling):
    model, batch = text_model(masking=masking, pooling=pooling), batch_of()
    params = model.init(jax.random.key(0), batch)
    mask = some_mask(batch)
    predict = jax.jit(lambda b, m: model.predict(params, b, m, None))
    found, other = predict(batch, mask), predict(other_words(batch, mask), mask)
    np.testing.assert_array_equal(found.logits, other.logits)
    np.testing.assert_array_equal(found.representation, other.representation)
    everything = predict(batch, batch.valid)
    assert not np.allclose(found.logits[0], everything.logits[0], atol=1e-3)


@pytest.mark.parametrize("masking", MASKINGS)
def test_padding_never_changes_a_result(masking):
    model, short, long = text_model(masking=masking), batch_of(), batch_of(rows=5, length=40)
    params = model.init(jax.random.key(0), short)
    mask = some_mask(short)
    wider = jnp.zeros(long.tokens.shape).at[:4, :24].set(mask)

    @jax.jit
    def run(batch, mask):
        scores = model.score(params, model.encode(params, batch), batch, None) * batch.valid
        return scores[:, :24], *model.predict(params, batch, mask, None)

    for one, other in zip(run(short, mask), run(long, wider), strict=True):
        np.testing.assert_allclose(one[:3], other[:3], atol=2e-6)
        assert np.isfinite(one).all() and np.isfinite(other).all()


def test_compaction_is_the_text_with_the_other_words_left_out():
    model, batch = text_model(masking="compaction"), batch_of()
    params = model.init(jax.random.key(0), batch)
    mask = jnp.zeros(batch.tokens.shape).at[0, jnp.array([1, 4])].set(1)
    kept = batch_of(texts=["staff kind"])
    predict = jax.jit(lambda batch, mask: model.predict(params, batch, mask, None))
    found, wanted = predict(batch, mask), predict(kept, kept.valid)
    np.testing.assert_allclose(found.logits[0], wanted.logits[0], atol=2e-6)
    trained_otherwise = text_model(masking="attention").predict_compact
    again = jax.jit(lambda mask: trained_otherwise(params, batch, mask, None))(mask)
    np.testing.assert_allclose(again.logits[0], wanted.logits[0], atol=2e-6)


def test_compaction_keeps_the_order():
    vectors = jnp.arange(6.0)[None, :, None]
    keep = jnp.array([[1.0, 0, 1, 0, 1, 0]])
    moved, visible, _ = compact(vectors, keep, jnp.zeros((1, 6), jnp.int32))
    np.testing.assert_array_equal(moved[0, :3, 0], [0, 2, 4])
    np.testing.assert_array_equal(visible, [[1, 1, 1, 0, 0, 0]])


@pytest.mark.parametrize("by", WORD_SCORES)
def test_a_words_score_comes_from_its_pieces(by):
    batch = batch_of()
    drawn = np.random.default_rng(2).normal(size=batch.pieces.ids.shape)
    of_piece = jnp.asarray(drawn, jnp.float32)
    found = np.asarray(word_scores(of_piece, batch.pieces, batch.tokens, by))
    reduce = {"first": lambda s: s[0], "mean": np.mean, "max": np.max}[by]
    for row in range(3):
        words = np.asarray(batch.pieces.word[row])
        for word in range(int(batch.length[row])):
            wanted = reduce(np.asarray(of_piece)[row][words == word])
            assert found[row, word] == pytest.approx(wanted, abs=1e-6)


def gradient_of_mask(masking):
    model, batch = text_model(masking=masking), batch_of()
    params, mask = model.init(jax.random.key(0), batch), some_mask(batch)

    def loss(mask):
        return (model.predict(params, batch, mask, None).logits[:, 1]).sum()

    return np.asarray(jax.jit(jax.grad(loss))(mask)), np.asarray(mask), np.asarray(batch.valid)


@pytest.mark.parametrize("masking", ["zeroed", "attention"])
def test_an_unselected_word_is_told_what_it_would_do(masking):
    slope, mask, valid = gradient_of_mask(masking)
    assert np.isfinite(slope).all() and not slope[valid == 0].any()
    assert (slope[(valid > 0) & (mask == 0)] != 0).all() and (slope[mask > 0] != 0).all()


def test_in_compaction_an_unselected_word_is_nowhere():
    slope, mask, _ = gradient_of_mask("compaction")
    assert np.isfinite(slope).all() and not slope[mask == 0].any() and slope[mask > 0].any()


@pytest.mark.parametrize(("shared", "dropout"), [(False, 0.1), (True, 0.0)])
@pytest.mark.parametrize("name", ["rnp", "n2r", "n2r_mmi", "classifier"])
def test_every_method_trains_what_it_should(name, shared, dropout):
    model, batch = text_model(shared=shared, encoder_dropout=dropout, frozen=2), batch_of()
    method = METHODS[name](model, Settings(OBJECTIVE))
    optimizers = {group: optax.sgd(1e-2) for group in method.trained}
    state = create_state(method, optimizers, 0, batch)
    after, metrics = jax.jit(make_train_step(method, optimizers, lambda sums: sums))(state, batch)
    heads = {"predictor"} if name == "classifier" else {"extractor", "predictor"}
    assert set(after.params) == heads | ({"encoder"} if shared else set())
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), state.params, after.params)
    encoders = [p["encoder"] for p in changed.values() if "encoder" in p]
    for encoder in [*encoders, *([changed["encoder"]] if shared else [])]:
        assert not any(jax.tree.leaves([encoder["embeddings"], encoder["layer_0"]])), "frozen"
        assert any(jax.tree.leaves(encoder["layer_1"]))
    assert all(np.isfinite(float(a)) for a, _ in metrics.values())


def test_with_one_encoder_the_norm_moves_it_as_extractor_only():
    """The predictor's pass is constant in N2R's second update, also where the encoder is one."""
    model, batch = text_model(shared=True), batch_of()
    method = METHODS["n2r"](model, Settings(OBJECTIVE))
    params = model.init(jax.random.key(0), batch)
    update = method.updates[1]

    def norm(encoder, mask_encoder):
        of_mask = params | {"encoder": mask_encoder}
        features = model.encode(of_mask, batch)
        return update.sums(params | {"encoder": encoder}, features, batch, jax.random.key(1))[
            "log_norm"
        ]

    encoder = params["encoder"]
    through_prediction, through_mask = jax.jit(jax.grad(norm, (0, 1)))(encoder, encoder)
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(through_prediction))
    assert any(np.asarray(leaf).any() for leaf in jax.tree.leaves(through_mask))


def test_dropout_goes_by_the_texts_place_in_the_global_batch():
    model, batch = text_model(encoder_dropout=0.2, dropout_rate=0.3), batch_of()
    params, key = model.init(jax.random.key(0), batch), jax.random.key(4)
    predict = jax.jit(lambda batch, key: model.predict(params, batch, batch.valid, key))
    whole = predict(batch, key)
    halves = [
        jax.tree.map(lambda leaf, part=part: leaf[part], batch) for part in (slice(2), slice(2, 4))
    ]
    parts = [predict(half, key) for half in halves]
    np.testing.assert_allclose(whole.logits, jnp.concatenate([p.logits for p in parts]), atol=2e-6)
    assert not np.allclose(whole.logits, predict(batch, None).logits)


def test_what_is_pretrained_is_read_once_for_both_encoders_and_not_for_shapes():
    calls = []
    start = make_encoder(tiny_encoder.CONFIG, EncoderOptions()).init(jax.random.key(9))

    def read():
        calls.append(1)
        return start

    own = dataclasses.replace(_built(), pretrained=read)
    jax.eval_shape(lambda: own.model().draw(jax.random.key(0), batch_of()))
    assert not calls
    params = own.model().init(jax.random.key(0), batch_of())
    assert len(calls) == 1
    own = [params[group]["encoder"]["embeddings"]["word"] for group in ("extractor", "predictor")]
    for word in own:
        np.testing.assert_array_equal(word, start["embeddings"]["word"])
    assert own[0].unsafe_buffer_pointer() != own[1].unsafe_buffer_pointer()


def test_evaluation_selects_words_alone():
    model, batch = text_model(), batch_of()
    params = model.init(jax.random.key(2), batch)
    method = METHODS["rnp"](model, Settings(OBJECTIVE))
    found = jax.jit(lambda batch: rationalize(method, params, batch))(batch)
    assert found.mask.any() and not found.mask[batch.valid == 0].any()


def _built():
    encoder = make_encoder(tiny_encoder.CONFIG, EncoderOptions())
    return TransformerText(encoder, encoder, classes=2, dropout_rate=0.0)
