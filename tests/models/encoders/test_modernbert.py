"""ModernBERT: recorded outputs, and what no padding, key, device or storage setting may change."""

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
from n2r_jax.models.encoders.interface import EncoderOptions, depth_of
from n2r_jax.models.encoders.modernbert_shape import modernbert_shape
from n2r_jax.models.pretrained import read_config, read_weights
from tests.models.encoders import tiny

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "modernbert"
MODERNBERT = {
    "model_type": "modernbert",
    "vocab_size": 30,
    "max_position_embeddings": 64,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "initializer_range": 0.3,
    "global_attn_every_n_layers": 2,
    "local_attention": 4,
}
PIECES = 15
"""Enough for the local layer to be cut into blocks, the last of which is not full."""

PLAIN = EncoderOptions()
SOFT = EncoderOptions(soft_visibility=True)
DROPS = EncoderOptions(dropout=0.3, attention_dropout=0.2, soft_visibility=True)


@functools.cache
def fresh(**settings):
    return jax.jit(make_encoder(MODERNBERT | settings, PLAIN).init)(tiny.KEY)


@functools.cache
def made(options=PLAIN, **settings):
    """(encode, params) of a small ModernBERT; encode is compiled."""
    encoder = make_encoder(MODERNBERT | settings, options)

    @jax.jit
    def encode(params, ids, visible, segments, row=tiny.ROWS, key=None):
        return tiny.encoded(encoder, params, ids, visible, segments, row, key)

    return encode, fresh(**settings)


@pytest.mark.parametrize("options", [PLAIN, SOFT], ids=["hard", "soft"])
def test_our_own_recording_is_reproduced(options):
    encoder = make_encoder(read_config(FIXTURE), options)
    found = read_weights(FIXTURE, encoder)
    assert found.ignored == found.fresh == ()
    with np.load(FIXTURE / "expected.npz") as file:
        expected = {name: jnp.asarray(file[name]) for name in file.files}
    visible = expected["attention_mask"].astype(jnp.float32)
    arrays = (expected["input_ids"], visible, jnp.zeros(visible.shape, jnp.int32))
    got = jax.jit(partial(tiny.encoded, encoder))(found.params, *arrays, row=jnp.arange(3))
    difference = np.abs(got.states - expected["last_hidden_state"])
    assert difference[np.asarray(visible) > 0].max() < 2e-5
    np.testing.assert_array_equal(got.pooled, got.states[:, 0])


def test_both_spellings_of_config_json_say_the_same():
    newer = read_config(FIXTURE)
    dropped = ("layer_types", "rope_parameters", "global_attn_every_n_layers")
    older = {name: x for name, x in newer.items() if name not in dropped}
    older |= {"global_attn_every_n_layers": 3, "global_rope_theta": 160, "local_rope_theta": 10}
    assert modernbert_shape(older) == modernbert_shape(newer)
    assert modernbert_shape(older).is_global == (True, False, False, True)
    assert modernbert_shape(older | {"local_rope_theta": None}).local_theta == 160.0
    published = {name: x for name, x in MODERNBERT.items() if "local" not in name}
    shape = modernbert_shape(published)
    assert (shape.window, shape.global_theta, shape.local_theta) == (64, 160_000.0, 10_000.0)


@pytest.mark.parametrize("pieces", [9, PIECES])
def test_padding_never_changes_a_visible_state(pieces):
    encode, params = made(DROPS)
    ids, visible, segments = tiny.inputs(pieces)
    longer = [
        jnp.pad(a, ((0, 0), (0, 12 - pieces if pieces < 12 else 4)))
        for a in (ids, visible, segments)
    ]
    others = jnp.where(visible > 0, ids, 7)
    for key in (None, tiny.KEY) if pieces > 12 else (None,):
        expected = encode(params, ids, visible, segments, key=key)
        assert np.isfinite(expected.states).all()  # also of the text without any visible piece
        found = [encode(params, others, visible, segments, key=key)]
        found.append(encode(params, *longer, key=key))
        for one in found:
            difference = np.abs(one.states[:, :pieces] - expected.states)
            assert difference[np.asarray(visible) > 0].max() < 1e-5
            assert np.abs(one.pooled - expected.pooled)[:3].max() < 1e-5


def test_unselected_pieces_change_no_others_and_visibility_has_its_gradient():
    encode, params = made(SOFT)
    ids, visible, segments = tiny.inputs(PIECES)
    visible = visible.at[:2, 4].set(0.0).at[:2, 2].set(0.4)

    def first(visible, ids=ids):
        return encode(params, ids, visible, segments).states[:2, 0].sum(0)[3]

    np.testing.assert_array_equal(first(visible), first(visible, ids.at[:, 4].set(9)))
    gradient = jax.jit(jax.grad(first))(visible)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[:2, 4]).min() > 0  # the chord's: see test_attention
    for b in (0, 1):
        low, high = visible.at[b, 2].add(-1e-2), visible.at[b, 2].add(1e-2)
        expected = (first(high) - first(low)) / (high - low)[b, 2]
        np.testing.assert_allclose(gradient[b, 2], expected, rtol=0.06, atol=2e-3)


def test_a_local_layer_sees_no_further_than_its_window():
    encode, params = made(layer_types=("sliding_attention", "sliding_attention"))
    ids, visible, segments = tiny.inputs(PIECES)
    visible = jnp.ones_like(visible)
    expected = encode(params, ids, visible, segments).states
    found = encode(params, ids.at[:, 0].set(1), visible, segments).states
    changed = np.abs(found - expected).max((0, 2)) > 0
    assert changed.tolist() == [place <= 4 for place in range(PIECES)]  # 2 places in each layer


def test_a_remat_layer_gives_the_same_values_and_gradients():
    def value(remat):
        encode, params = made(dataclasses.replace(DROPS, remat=remat))
        ids, visible, segments = tiny.inputs(PIECES)

        def loss(params, visible):
            states = encode(params, ids, visible, segments, key=tiny.KEY).states
            return (states[:2] ** 2).mean(-1).sum()

        return jax.jit(jax.value_and_grad(loss, (0, 1)))(params, visible)

    stored, again = value(remat=False), value(remat=True)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(stored))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), stored, again)


def test_dropout_is_the_same_on_however_many_devices():
    encode, params = made(DROPS)
    arrays = tiny.inputs(PIECES)
    whole = encode(params, *arrays, key=tiny.KEY)
    assert np.abs(whole.states - encode(params, *arrays).states)[:2].max() > 0.1
    for rows in (slice(0, 2), slice(2, 4)):
        part = [a[rows] for a in arrays]
        found = encode(params, *part, row=tiny.ROWS[rows], key=tiny.KEY)
        np.testing.assert_allclose(found.states, whole.states[rows], atol=1e-5)


def test_bfloat16_computes_about_the_same_from_float32_parameters():
    encode, params = made(EncoderOptions(dtype="bfloat16", soft_visibility=True))
    exact, _ = made(SOFT)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    ids, visible, segments = tiny.inputs(PIECES)
    found = encode(params, ids, visible, segments)
    assert found.states.dtype == jnp.float32
    difference = np.abs(found.states - exact(params, ids, visible, segments).states)
    difference = difference[np.asarray(visible) > 0]
    assert 0 < difference.max() < 0.3
    assert difference.mean() < 0.03


@pytest.mark.parametrize("bias", [False, True])
def test_every_parameter_has_one_place_and_a_depth(bias):
    switches = dict.fromkeys(("attention_bias", "mlp_bias", "norm_bias"), bias)
    encoder = make_encoder(MODERNBERT | switches, PLAIN)
    shapes = jax.eval_shape(encoder.init, tiny.KEY)
    paths = [tuple(entry.key for entry in path) for path, _ in jax.tree.leaves_with_path(shapes)]
    assert sorted(paths) == sorted(place.path for place in encoder.places.values())
    assert {depth_of(path, encoder.layers) for path in paths} == {0, 1, 2, 3}
    assert sum(path[-1] == "bias" for path in paths) == (2 + 2 * 2 - 1 + 4 * 2) * bias


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"num_attention_heads": 16}, "a hidden size of 16 does not divide into 16"),
        ({"layer_types": ["full_attention"]}, "layer_types is .'full_attention'.; give one of"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "stretched rotary positions"),
        ({"hidden_activation": "swish"}, "no activation is called 'swish'"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(settings, line):
    with pytest.raises(UserError, match=line) as caught:
        make_encoder(MODERNBERT | settings, PLAIN)
    assert "\n" not in str(caught.value)
