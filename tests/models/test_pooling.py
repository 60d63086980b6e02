"""The maximum over units and over segments, with gradients that are numbers."""

import jax
import jax.numpy as jnp
import numpy as np

from n2r_jax.models.pooling import max_by_segment, max_over_units


def test_max_over_units_and_where_its_gradient_goes():
    states = jnp.asarray(
        [[[1.0, 5.0], [3.0, 5.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 0.0], [3.0, 3.0]]]
    )
    seen = jnp.asarray([[True, True, False], [False, False, False]])
    np.testing.assert_array_equal(max_over_units(states), [[9, 9], [3, 3]])
    np.testing.assert_array_equal(max_over_units(states, seen), [[3, 5], [0, 0]])
    slopes = jax.grad(lambda s: max_over_units(s, seen).sum())(states)
    np.testing.assert_array_equal(slopes[0], [[0, 0.5], [1, 0.5], [0, 0]])
    assert not slopes[1].any()


def test_the_gradient_is_finite_where_xla_makes_the_states_twice():
    weights = jax.random.normal(jax.random.key(0), (7, 7))
    states = jax.random.normal(jax.random.key(1), (4, 6, 7))

    def pooled(weights):
        scale, offset = weights[None, :1], weights[None, 1:2]
        # Without optimisation (conftest.py) jnp.max(.., 1) here has a gradient of NaN.
        return (max_over_units((states @ weights) * scale + offset) ** 2).sum()

    assert np.isfinite(jax.jit(jax.grad(pooled))(weights)).all()


def test_max_by_segment():
    values = jnp.asarray([[3.0, 1.0, 2.0, 7.0, 9.0], [-1.0, -2.0, -3.0, -4.0, 9.0]])
    segment = jnp.asarray([[0, 0, 1, 3, 4], [1, 1, 0, 0, 4]])  # 4 stands for none
    np.testing.assert_array_equal(
        max_by_segment(values, segment, 4), [[3, 2, 0, 7], [-3, -1, 0, 0]]
    )
    slopes = jax.grad(lambda v: max_by_segment(v, segment, 4).sum())(values)
    np.testing.assert_array_equal(slopes, [[1, 0, 1, 1, 0], [1, 0, 1, 0, 0]])
