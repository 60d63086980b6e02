"""Samplers of rationale masks."""

import jax
import jax.numpy as jnp
import numpy as np

from n2r_jax import masks

ROWS = jnp.arange(4)


def test_the_mask_is_exactly_binary_and_its_slope_is_the_softmax():
    scores = jnp.asarray(np.random.default_rng(0).normal(size=(4, 50)), jnp.float32)
    noise = masks.logistic_noise(jax.random.key(0), ROWS, 50)
    mask = masks.straight_through(scores, noise)
    assert set(np.unique(mask)) == {0.0, 1.0}
    slope = jax.grad(lambda s: masks.straight_through(s, noise).sum())(scores)
    soft = jax.nn.sigmoid(scores + noise)
    np.testing.assert_allclose(slope, soft * (1 - soft), rtol=1e-5)


def test_equal_neighbours_differ_by_an_exact_zero():
    scores = jnp.linspace(-3, 3, 200)[None]
    mask = masks.straight_through(scores, jnp.zeros_like(scores))
    steps = np.diff(np.asarray(mask)[0])
    assert (steps != 0).sum() == 1


def test_temperature_scales_the_slope_and_not_the_choice():
    scores = jnp.asarray([[0.5, -0.5, 2.0]])
    noise = jnp.zeros_like(scores)
    hot, cold = (masks.straight_through(scores, noise, t) for t in (5.0, 0.1))
    np.testing.assert_array_equal(hot, cold)
    slope = jax.grad(lambda s: masks.straight_through(s, noise, 5.0).sum())(scores)
    soft = jax.nn.sigmoid(scores / 5)
    np.testing.assert_allclose(slope, soft * (1 - soft) / 5, rtol=1e-5)


def test_noise_is_logistic():
    noise = np.asarray(masks.logistic_noise(jax.random.key(3), jnp.arange(500), 100))
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - np.pi / np.sqrt(3)) < 0.03
    assert abs((noise > np.log(3)).mean() - 0.25) < 0.01


def test_noise_depends_on_the_row_and_the_position_alone():
    key = jax.random.key(1)
    whole = masks.logistic_noise(key, ROWS, 64)
    np.testing.assert_array_equal(masks.logistic_noise(key, ROWS[2:], 64), whole[2:])
    np.testing.assert_array_equal(masks.logistic_noise(key, ROWS, 32), whole[:, :32])
    assert not np.array_equal(masks.logistic_noise(jax.random.key(2), ROWS, 64), whole)


def test_arg_max_selects_the_likelier_class():
    np.testing.assert_array_equal(masks.arg_max(jnp.asarray([[-1.0, 0.0, 1e-6]])), [[0, 0, 1]])
