"""BigBird: recorded outputs, and what no padding, key, device or storage setting may change."""

import dataclasses
import functools
import pathlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.models.encoders import make_encoder
from n2r_jax.models.encoders.bert_like import Embeddings
from n2r_jax.models.encoders.bigbird import bigbird_shape
from n2r_jax.models.encoders.interface import EncoderOptions, depth_of
from n2r_jax.models.pretrained import read_config, read_weights
from tests.models.encoders import tiny

GOLDEN = pathlib.Path(__file__).parents[3].parent / "shared" / "golden" / "encoders"
FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "bigbird"
BIGBIRD = tiny.BERT | {
    "model_type": "big_bird",
    "max_position_embeddings": 64,
    "num_hidden_layers": 1,
    "hidden_act": "gelu_new",
    "attention_type": "block_sparse",
    "block_size": 4,
    "num_random_blocks": 1,
}
PIECES = 34
"""More than 7 blocks, so attention is sparse; the ninth block is not full."""

PLAIN = EncoderOptions()
SOFT = EncoderOptions(soft_visibility=True)
DROPS = EncoderOptions(dropout=0.3, attention_dropout=0.2, soft_visibility=True)
KINDS = pytest.mark.parametrize("kind", ["block_sparse", "original_full"])


@functools.cache
def fresh(**settings):
    return jax.jit(make_encoder(BIGBIRD | settings, PLAIN).init)(tiny.KEY)


@functools.cache
def made(options=PLAIN, **settings):
    """(encode, params) of a small BigBird; encode is compiled."""
    encoder = make_encoder(BIGBIRD | settings, options)

    @jax.jit
    def encode(params, ids, visible, segments, row=tiny.ROWS, key=None):
        return tiny.encoded(encoder, params, ids, visible, segments, row, key)

    return encode, fresh(**settings)


def agree_with_recorded(folder, prefix="", **settings):
    encoder = make_encoder(read_config(folder) | settings, PLAIN)
    found = read_weights(folder, encoder)
    assert found.ignored == found.fresh == ()
    with np.load(folder / "expected.npz") as file:
        expected = {name: file[name] for name in file.files}
    visible = expected["attention_mask"].astype(np.float32)
    arrays = (expected["input_ids"], visible, expected["token_type_ids"])
    row = jnp.arange(len(visible))
    encode = jax.jit(partial(tiny.encoded, encoder))
    got = encode(found.params, *map(jnp.asarray, arrays), row=row)
    difference = np.abs(got.states - expected[f"{prefix}last_hidden_state"])
    assert difference[visible > 0].max() < 2e-5
    assert np.abs(got.pooled - expected[f"{prefix}pooler_output"]).max() < 2e-5


@pytest.mark.parametrize("name", ["bigbird_full", "bigbird_block_sparse"])
def test_recorded_outputs_of_transformers_are_reproduced(name):
    if not (GOLDEN / name).is_dir():
        pytest.skip("the recorded outputs are not here (../shared/golden/encoders)")
    agree_with_recorded(GOLDEN / name)


@KINDS
def test_our_own_recording_is_reproduced(kind):
    agree_with_recorded(FIXTURE, f"{kind}_", attention_type=kind)


@pytest.mark.parametrize("pieces", [16, PIECES])
@pytest.mark.parametrize("key", [None, tiny.KEY])
def test_padding_never_changes_a_visible_state(pieces, key):
    encode, params = made(DROPS, num_hidden_layers=2)
    ids, visible, segments = tiny.inputs(pieces)
    expected = encode(params, ids, visible, segments, key=key)
    assert np.isfinite(expected.states).all()  # also of the text without any visible piece
    more = -pieces % 4 or 8  # to whole blocks; a short text also by whole blocks
    longer = [jnp.pad(a, ((0, 0), (0, more))) for a in (ids, visible, segments)]
    others = jnp.where(visible > 0, ids, 7)
    found = [encode(params, others, visible, segments, key=key)]
    found.append(encode(params, *longer, key=key))
    for one in found:
        difference = np.abs(one.states[:, :pieces] - expected.states)
        assert difference[np.asarray(visible) > 0].max() < 1e-5
        assert np.abs(one.pooled - expected.pooled)[:3].max() < 1e-5


@pytest.mark.parametrize("pieces", [20, PIECES])
def test_unselected_pieces_change_no_others_and_visibility_has_its_gradient(pieces):
    encode, params = made(SOFT)
    ids, visible, segments = tiny.inputs(pieces)
    visible = visible.at[:2, 14].set(0.0).at[:2, 2].set(0.4)

    def first(visible, ids=ids):
        return encode(params, ids, visible, segments).states[:2, 0].sum(0)[3]

    np.testing.assert_array_equal(first(visible), first(visible, ids.at[:, 14].set(9)))
    gradient = jax.jit(jax.grad(first))(visible)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[:2, 14]).min() > 0  # the chord's: see test_attention
    for b in (0, 1):
        low, high = visible.at[b, 2].add(-1e-2), visible.at[b, 2].add(1e-2)
        expected = (first(high) - first(low)) / (high - low)[b, 2]
        np.testing.assert_allclose(gradient[b, 2], expected, rtol=0.06, atol=2e-3)


def test_a_remat_layer_gives_the_same_values_and_gradients():
    def value(remat):
        encode, params = made(dataclasses.replace(DROPS, remat=remat))
        arrays = tiny.inputs(PIECES)

        def loss(params, visible):
            found = encode(params, arrays[0], visible, arrays[2], key=tiny.KEY)
            return (found.states[:2] ** 2).mean() + found.pooled[:2].sum()

        return jax.jit(jax.value_and_grad(loss, (0, 1)))(params, arrays[1])

    stored, again = value(remat=False), value(remat=True)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(stored))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), stored, again)


def test_a_key_draws_dropout_and_blocks_the_same_on_however_many_devices():
    encode, params = made(DROPS)
    arrays = tiny.inputs(PIECES)
    whole = encode(params, *arrays, key=tiny.KEY)
    np.testing.assert_array_equal(whole.states, encode(params, *arrays, key=tiny.KEY).states)
    for rows in (slice(0, 2), slice(2, 4)):
        part = [a[rows] for a in arrays]
        found = encode(params, *part, row=tiny.ROWS[rows], key=tiny.KEY)
        np.testing.assert_allclose(found.states, whole.states[rows], atol=1e-5)


def test_random_blocks_follow_the_key_in_training_and_rest_in_inference():
    encode, params = made()
    arrays = tiny.inputs(PIECES)
    drawn = [encode(params, *arrays, key=jax.random.key(seed)).states[0] for seed in range(2)]
    still = encode(params, *arrays).states[0]
    assert min(np.abs(a - b).max() for a, b in [drawn, (drawn[0], still)]) > 0.01
    short = tiny.inputs(28)  # as many pieces as full attention still serves
    full, _ = made(attention_type="original_full")
    expected = full(params, *short)
    for key in (None, tiny.KEY):
        found = encode(params, *short, key=key)
        np.testing.assert_allclose(found.states, expected.states, atol=1e-6)


def test_bfloat16_computes_about_the_same_from_float32_parameters():
    encode, params = made(EncoderOptions(dtype="bfloat16", soft_visibility=True))
    exact, _ = made(SOFT)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    ids, visible, segments = tiny.inputs(PIECES)
    found = encode(params, ids, visible, segments)
    assert found.states.dtype == jnp.float32
    expected = exact(params, ids, visible, segments)
    difference = np.abs(found.states - expected.states)[np.asarray(visible) > 0]
    assert 0 < difference.max() < 0.3
    assert difference.mean() < 0.02


def test_embeddings_are_dropped_out_before_they_are_normalised():
    shape = bigbird_shape(BIGBIRD | {"rescale_embeddings": True})
    assert shape.scale_words == 4.0
    part = Embeddings(shape, EncoderOptions(dropout=0.5))
    apply = jax.jit(part.apply)
    x, segments = jax.random.normal(tiny.KEY, (4, 6, 16)), jnp.zeros((4, 6), jnp.int32)
    variables = jax.jit(part.init)(tiny.KEY, x, segments, tiny.ROWS, None)
    found = apply(variables, x, segments, tiny.ROWS, tiny.KEY)
    np.testing.assert_allclose(found.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(found.var(-1), 1, atol=1e-4)
    assert np.abs(found - apply(variables, x, segments, tiny.ROWS, None)).max() > 0.5


@pytest.mark.parametrize("use_bias", [True, False])
def test_every_parameter_has_one_place_and_a_depth(use_bias):
    encoder = make_encoder(BIGBIRD | {"use_bias": use_bias, "num_hidden_layers": 2}, PLAIN)
    shapes = jax.eval_shape(encoder.init, tiny.KEY)
    paths = [tuple(entry.key for entry in path) for path, _ in jax.tree.leaves_with_path(shapes)]
    assert sorted(paths) == sorted(place.path for place in encoder.places.values())
    assert {depth_of(path, encoder.layers) for path in paths} == {0, 1, 2, 3}
    assert (("layer_0", "attention", "key", "bias") in paths) == use_bias


@pytest.mark.parametrize(
    "way", [lambda loss: loss, lambda loss: jax.grad(loss, (0, 2))], ids=["forward", "train"]
)
def test_memory_grows_with_the_length_and_not_its_square(way):
    sizes = {"max_position_embeddings": 4096, "block_size": 64, "num_random_blocks": 3}
    encoder = make_encoder(BIGBIRD | sizes, SOFT)
    params = jax.eval_shape(encoder.init, tiny.KEY)

    def loss(params, vectors, visible, key):
        segments, row = jnp.zeros(visible.shape, jnp.int32), jnp.zeros(1, jnp.int32)
        return encoder.encode(params, vectors, visible, segments, row, key).pooled.sum()

    def needed(pieces):
        vectors = jax.ShapeDtypeStruct((1, pieces, 16), jnp.float32)
        visible = jax.ShapeDtypeStruct((1, pieces), jnp.float32)
        step = jax.jit(way(loss)).lower(params, vectors, visible, tiny.KEY)
        return step.compile().memory_analysis().temp_size_in_bytes

    assert needed(4096) < 2.3 * needed(2048)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"attention_type": "dense"}, "attention_type 'dense' is not known; take 'block_sparse'"),
        ({"block_size": 0}, "blocks of 0 pieces, 1 of them random, cannot be"),
        ({"hidden_size": None}, "'hidden_size' is missing"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(settings, line):
    config = {name: x for name, x in (BIGBIRD | settings).items() if x is not None}
    with pytest.raises(UserError, match=line) as caught:
        make_encoder(config, PLAIN)
    assert "\n" not in str(caught.value)
