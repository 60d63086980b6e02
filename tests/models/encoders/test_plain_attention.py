"""The attention that any number of derivatives can be taken of is the one that models compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.interface import EncoderOptions

SHAPE = (2, 7, 2, 4)
QUERIES, KEYS, VALUES = jax.random.normal(jax.random.key(0), (3, *SHAPE))
VISIBLE = jnp.ones((2, 7)).at[1, 4:].set(0.0).at[0, 2].set(0.3)


def attended(queries, visible=VISIBLE, window=None, **options):
    options = EncoderOptions(**options)
    return attend(queries, KEYS, VALUES, visible, options, None, jnp.arange(2), window)


@pytest.mark.parametrize("window", [None, 1])
def test_values_and_gradients_are_those_of_attend(window):
    def total(queries, visible, twice):
        found = attended(queries, visible, window, twice=twice, soft_visibility=True)
        return (found[0] ** 2).sum() + (found[1, :4] ** 2).sum()

    plain, own = (
        jax.value_and_grad(total, (0, 1))(QUERIES, VISIBLE, twice) for twice in (True, False)
    )
    np.testing.assert_allclose(plain[0], own[0], rtol=1e-5)
    np.testing.assert_allclose(plain[1][0], own[1][0], atol=1e-5)
    seen = np.asarray(VISIBLE) > 0
    np.testing.assert_allclose(plain[1][1][seen], own[1][1][seen], atol=1e-5)
    assert not plain[1][1][~seen].any()


def test_a_gradient_can_be_differentiated():
    def squared_slope(queries):
        return (jax.grad(lambda q: attended(q, twice=True).sum())(queries) ** 2).sum()

    step = 1e-2 * jax.random.normal(jax.random.key(1), SHAPE)
    slope = (jax.grad(squared_slope)(QUERIES) * step).sum()
    expected = (squared_slope(QUERIES + step) - squared_slope(QUERIES - step)) / 2
    np.testing.assert_allclose(slope, expected, rtol=2e-2)


def test_a_text_without_visible_pieces_is_finite():
    found = attended(QUERIES, jnp.zeros((2, 7)), twice=True)
    assert np.isfinite(np.asarray(found)).all()
