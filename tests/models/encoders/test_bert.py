"""BERT, RoBERTa and DistilBERT: the recorded outputs, and what no padding or device may change."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.bert import bert_shape, distilbert_shape
from n2r_jax.models.encoders.bert_like import Attention
from n2r_jax.models.encoders.interface import EncoderOptions, depth_of
from n2r_jax.models.pretrained import read_config, read_weights
from tests.models.encoders import tiny

GOLDEN = pathlib.Path(__file__).parents[3].parent / "shared" / "golden" / "encoders"
PLAIN = EncoderOptions()
SOFT = EncoderOptions(soft_visibility=True)
DROPS = EncoderOptions(dropout=0.3, attention_dropout=0.2)
FAMILIES = pytest.mark.parametrize("family", tiny.ALL)


def made(family="bert", options=PLAIN, **settings):
    encoder = make_encoder(tiny.ALL[family] | settings, options)
    return encoder, encoder.init(tiny.KEY)


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_recorded_outputs_of_transformers_are_reproduced(name):
    if not (GOLDEN / name).is_dir():
        pytest.skip("the recorded outputs are not here (../shared/golden/encoders)")
    encoder = make_encoder(read_config(GOLDEN / name), PLAIN)
    params = read_weights(GOLDEN / name, encoder).params
    with np.load(GOLDEN / name / "expected.npz") as file:
        expected = {key: file[key] for key in file.files}
    visible = expected["attention_mask"].astype(np.float32)
    arrays = (expected["input_ids"], visible, expected["token_type_ids"])
    found = tiny.encoded(encoder, params, *map(jnp.asarray, arrays), row=jnp.arange(3))
    assert np.abs(found.states - expected["last_hidden_state"])[visible > 0].max() < 2e-5
    assert np.abs(found.pooled - expected["pooler_output"]).max() < 2e-5


@FAMILIES
def test_padding_never_changes_a_visible_state(family):
    encoder, params = made(family)
    ids, visible, segments = tiny.inputs()
    expected = tiny.encoded(encoder, params, ids, visible, segments)
    others = jnp.where(visible > 0, ids, 7)
    longer = [jnp.pad(a, ((0, 0), (0, 4))) for a in (ids, visible, segments)]
    found = [tiny.encoded(encoder, params, others, visible, segments)]
    found.append(tiny.encoded(encoder, params, *longer))
    for one in found:
        difference = np.abs(one.states[:, : tiny.PIECES] - expected.states)
        assert difference[np.asarray(visible) > 0].max() < 1e-5
        assert np.isfinite(one.states).all()  # also of the text without any visible piece
        assert np.abs(one.pooled - expected.pooled)[:3].max() < 1e-5


@FAMILIES
def test_unselected_pieces_change_no_others_and_visibility_has_its_gradient(family):
    encoder, params = made(family, SOFT)
    ids, visible, segments = tiny.inputs()
    visible = visible.at[:2, 4].set(0.0).at[:2, 2].set(0.4)

    def first(visible, ids=ids):
        return tiny.encoded(encoder, params, ids, visible, segments).states[:2, 0].sum(0)[3]

    np.testing.assert_array_equal(first(visible), first(visible, ids.at[:, 4].set(9)))
    gradient = jax.grad(first)(visible)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[:2, 4]).min() > 0  # the chord's: see test_attention
    for b in (0, 1):
        low, high = visible.at[b, 2].add(-1e-2), visible.at[b, 2].add(1e-2)
        expected = (first(high) - first(low)) / (high - low)[b, 2]
        np.testing.assert_allclose(gradient[b, 2], expected, rtol=0.06, atol=2e-3)


def test_a_remat_layer_gives_the_same_values_and_gradients():
    def value(remat):
        options = dataclasses.replace(DROPS, soft_visibility=True, remat=remat)
        encoder, params = made(options=options, num_hidden_layers=1)

        def loss(params):
            found = tiny.encoded(encoder, params, *tiny.inputs(), key=tiny.KEY)
            return (found.states[:2] ** 2).sum() + found.pooled[:2].sum()

        return jax.jit(jax.value_and_grad(loss))(params)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        value(remat=True),
        value(remat=False),
    )


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_dropout_is_the_same_on_however_many_devices(family):
    encoder, params = made(family, DROPS)
    arrays = tiny.inputs()
    whole = tiny.encoded(encoder, params, *arrays, key=tiny.KEY)
    still = tiny.encoded(encoder, params, *arrays)
    assert np.abs(whole.states - still.states)[:2].max() > 0.1
    for rows in (slice(0, 1), slice(1, 3)):
        part = [a[rows] for a in arrays]
        found = tiny.encoded(encoder, params, *part, row=tiny.ROWS[rows], key=tiny.KEY)
        np.testing.assert_allclose(found.states, whole.states[rows], atol=1e-5)


@FAMILIES
def test_the_pooled_state_is_that_of_the_first_piece_at_less_cost(family):
    encoder, params = made(family, DROPS)
    ids, visible, segments = tiny.inputs()
    vectors = encoder.word_vectors(params, ids)

    def encode(params):
        return encoder.encode(params, vectors, visible, segments, tiny.ROWS, tiny.KEY)

    def flops(function):
        return jax.jit(function).lower(params).compile().cost_analysis()["flops"]

    found = jax.jit(encode)(params)
    expected = found.states[:, 0]
    if encoder.has_pooler:
        weights = params["pooler"]
        expected = jnp.tanh(expected @ weights["kernel"] + weights["bias"][None])
    np.testing.assert_allclose(found.pooled, expected, atol=1e-5)
    assert flops(lambda p: encode(p).pooled) < 0.75 * flops(lambda p: encode(p).states)


@pytest.mark.parametrize(("family", "drops"), [("bert", True), ("distilbert", False)])
def test_distilbert_drops_nothing_after_attention(family, drops):
    shape = distilbert_shape(tiny.DISTILBERT) if family == "distilbert" else bert_shape(tiny.BERT)
    part = Attention(shape, EncoderOptions(dropout=0.5), attend)
    x, visible = jax.random.normal(tiny.KEY, (4, 5, 16)), jnp.ones((4, 5))
    variables = part.init(tiny.KEY, x, x, visible, tiny.ROWS, None)
    still = part.apply(variables, x, x, visible, tiny.ROWS, None)
    dropped = part.apply(variables, x, x, visible, tiny.ROWS, tiny.KEY)
    assert (np.abs(dropped - still).max() > 0) == drops


@FAMILIES
def test_bfloat16_computes_about_the_same_from_float32_parameters(family):
    encoder, params = made(family, EncoderOptions(dtype="bfloat16", soft_visibility=True))
    exact, _ = made(family, SOFT)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    ids, visible, segments = tiny.inputs()
    found = tiny.encoded(encoder, params, ids, visible, segments)
    expected = tiny.encoded(exact, params, ids, visible, segments)
    assert found.states.dtype == jnp.float32
    difference = np.abs(found.states - expected.states)[np.asarray(visible) > 0]
    assert 0 < difference.max() < 0.2


def test_roberta_counts_positions_from_after_the_padding_id():
    encoder, params = made("roberta")
    assert encoder.max_pieces == 22
    table = params["embeddings"]["position"]
    unused = {**params["embeddings"], "position": table.at[:2].set(9.0)}
    expected = tiny.encoded(encoder, params, *tiny.inputs())
    found = tiny.encoded(encoder, params | {"embeddings": unused}, *tiny.inputs())
    np.testing.assert_array_equal(found.states, expected.states)


@FAMILIES
def test_every_parameter_has_one_place_and_a_depth(family):
    encoder, params = made(family)
    paths = [tuple(entry.key for entry in path) for path, _ in jax.tree.leaves_with_path(params)]
    assert sorted(paths) == sorted(place.path for place in encoder.places.values())
    depths = {depth_of(path, encoder.layers) for path in paths}
    assert depths == ({0, 1, 2, 3} if encoder.has_pooler else {0, 1, 2})


def test_texts_that_are_too_long_are_refused():
    encoder, params = made()
    with pytest.raises(UserError, match="texts of 25 pieces; this encoder takes 24"):
        tiny.encoded(encoder, params, *tiny.inputs(25))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"model_type": "t5"}, "model_type 't5' is not known; take one of bert, distilbert"),
        ({"hidden_act": "swish"}, "no activation is called 'swish'; known are gelu, gelu_new"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"is_decoder": True}, "this is a decoder"),
        ({"num_attention_heads": 3}, "a hidden size of 16 does not divide into 3"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(settings, line):
    with pytest.raises(UserError, match=line) as caught:
        make_encoder(tiny.BERT | settings, PLAIN)
    assert "\n" not in str(caught.value)


def test_a_missing_setting_is_named():
    config = {name: value for name, value in tiny.BERT.items() if name != "vocab_size"}
    with pytest.raises(UserError, match="'vocab_size' is missing"):
        make_encoder(json.loads(json.dumps(config)), PLAIN)
