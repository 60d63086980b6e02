"""Windows cut into blocks give what masks over all pairs give, and grow with the length."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.encoders.local_attention import WORTH_CUTTING, attend_locally

SOFT = EncoderOptions(soft_visibility=True)
HARD = EncoderOptions()
WINDOW, ROWS = 4, jnp.arange(2)
KEY = jax.random.key(2)


def heads(pieces):
    draws = np.random.default_rng(0).normal(0, 1, (3, 2, pieces, 2, 8))
    return tuple(jnp.asarray(draws, jnp.float32))


def visibility(pieces):
    rng = np.random.default_rng(1)
    visible = rng.uniform(0.05, 1, (2, pieces)) * (rng.uniform(size=(2, pieces)) < 0.6)
    visible[:, :: WINDOW - 1] = 1  # chords go to the heaviest: the same in every block
    return jnp.asarray(visible, jnp.float32).at[1, pieces // 2 :].set(0)


@pytest.mark.parametrize("options", [HARD, SOFT], ids=["hard", "soft"])
@pytest.mark.parametrize("pieces", [WORTH_CUTTING * WINDOW - 1, WORTH_CUTTING * WINDOW, 37])
def test_values_and_gradients_are_those_of_a_mask(options, pieces):
    visible = visibility(pieces)
    seen = (np.asarray(visible) > 0)[:, :, None, None]  # others' results mean nothing

    def loss(way, q, k, v, visible):
        return (jnp.where(seen, way(q, k, v, visible, options, None, ROWS), 0) ** 2).sum()

    ways = (partial(attend_locally, window=WINDOW), partial(attend, window=WINDOW))
    found, expected = (
        jax.jit(jax.value_and_grad(partial(loss, way), (0, 1, 2, 3)))(*heads(pieces), visible)
        for way in ways
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4), found, expected
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_dropout_depends_on_the_rows_place_and_the_position_alone():
    options = EncoderOptions(attention_dropout=0.4)
    visible = jnp.ones((2, 37))

    @jax.jit
    def draw(q, k, v, visible, row, key):
        return attend_locally(q, k, v, visible, options, key, row, window=WINDOW)

    whole = draw(*heads(37), visible, ROWS, KEY)
    assert np.abs(whole - draw(*heads(37), visible, ROWS, None)).max() > 0.1
    alone = draw(*(x[1:] for x in heads(37)), visible[1:], ROWS[1:], KEY)
    np.testing.assert_allclose(alone[0], whole[1], atol=1e-6)
    longer = [jnp.pad(x, ((0, 0), (0, 9), (0, 0), (0, 0))) for x in heads(37)]
    padded = draw(*longer, jnp.pad(visible, ((0, 0), (0, 9))), ROWS, KEY)
    np.testing.assert_allclose(padded[:, :37], whole, atol=1e-6)


def test_memory_grows_with_the_length_and_not_its_square():
    def loss(q, k, v, visible):
        return attend_locally(q, k, v, visible, SOFT, None, ROWS[:1], window=64).sum()

    def needed(pieces):
        heads = jax.ShapeDtypeStruct((1, pieces, 2, 8), jnp.float32)
        visible = jax.ShapeDtypeStruct((1, pieces), jnp.float32)
        step = jax.jit(jax.grad(loss, (0, 1, 2, 3))).lower(heads, heads, heads, visible)
        return step.compile().memory_analysis().temp_size_in_bytes

    assert needed(4096) < 2.3 * needed(2048)
