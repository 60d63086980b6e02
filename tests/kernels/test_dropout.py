"""Dropout by a counter hash: the right share, the same bits wherever a row is worked on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.kernels.dropout import dropout

KEY = jax.random.key(3)
ROWS = jnp.arange(32)
ONES = jnp.ones((40, 50, 32))


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_drops_its_share_and_keeps_the_mean(rate):
    kept = np.asarray(dropout(ONES, KEY, ROWS, rate))
    assert set(np.unique(kept)) == {0.0, np.float32(1 / (1 - rate))}
    bound = 5 * (rate * (1 - rate)) ** 0.5
    assert abs((kept == 0).mean() - rate) < bound / kept.size**0.5
    for axis in range(3):  # no row, feature or position is favoured
        others = tuple({0, 1, 2} - {axis})
        share = (kept == 0).mean(others)
        assert np.abs(share - rate).max() < bound / (kept.size / len(share)) ** 0.5


def test_without_a_key_or_a_rate_it_is_the_identity():
    np.testing.assert_array_equal(dropout(ONES, None, ROWS, 0.5), ONES)
    np.testing.assert_array_equal(dropout(ONES, KEY, ROWS, 0.0), ONES)


def test_another_key_drops_others():
    other = dropout(ONES, jax.random.key(4), ROWS, 0.5)
    agree = (np.asarray(dropout(ONES, KEY, ROWS, 0.5)) == np.asarray(other)).mean()
    assert abs(agree - 0.5) < 0.02


def test_bits_depend_on_the_rows_place_and_the_position_alone():
    whole = dropout(ONES, KEY, ROWS, 0.2)
    shorter = dropout(ONES[:7], KEY, ROWS, 0.2)
    np.testing.assert_array_equal(shorter, whole[:7])
    later = dropout(ONES[:7], KEY, ROWS, 0.2, 9)
    np.testing.assert_array_equal(later, whole[9:16])
    one_device = dropout(ONES[..., 16:], KEY, ROWS[16:], 0.2)
    np.testing.assert_array_equal(one_device, whole[..., 16:])


def test_backward_uses_the_same_bits():
    gradient = jax.grad(lambda x: dropout(x, KEY, ROWS, 0.2).sum())(2 * ONES)
    np.testing.assert_array_equal(gradient, dropout(ONES, KEY, ROWS, 0.2))
