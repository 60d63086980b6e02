"""The rescale rule: worked by hand on a small network, complete where it should be."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.attribution import convergence_delta, deep_lift
from n2r_jax.models.encoders.interface import unchanged

DRAWN = np.random.default_rng(1)
INNER, OUTER = (DRAWN.normal(size=shape).astype(np.float32) for shape in ((2, 5), (5,)))
X, BASELINE = (DRAWN.normal(size=(3, 4, 2)).astype(np.float32) for _ in range(2))


def network(vectors, nonlinearity=unchanged):
    """A linear layer over the mean vector, tanh, products, relu: two places for the rule."""
    inner = nonlinearity("pooler", jnp.tanh)(vectors.mean(1) @ INNER)
    return nonlinearity("feed_forward", jax.nn.relu)(inner * OUTER[None] + 0.1).sum(1)


@functools.partial(jax.jit, static_argnums=2)
def lifted(x, baseline, rule):
    return deep_lift(network, x, baseline, rule=rule)


def multipliers(full):
    """The rule in NumPy: dF/dx with quotients for the slopes of both functions, or of tanh."""
    found = []
    for x, baseline in zip(X, BASELINE, strict=True):
        z, z_0 = (side.mean(0) @ INNER for side in (x, baseline))
        first = (np.tanh(z) - np.tanh(z_0)) / (z - z_0)
        r, r_0 = (np.tanh(side) * OUTER + 0.1 for side in (z, z_0))
        quotient = (np.maximum(r, 0) - np.maximum(r_0, 0)) / (r - r_0)
        second = quotient if full else (r > 0).astype(np.float32)
        found.append(np.broadcast_to(INNER @ (first * OUTER * second) / 4, x.shape))
    return np.stack(found)


@pytest.mark.parametrize("rule", ["pooler", "full_rescale"])
def test_the_rule_worked_by_hand(rule):
    found = lifted(X, BASELINE, rule)
    expected = (X - BASELINE) * multipliers(full=rule == "full_rescale")
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_network_wholly_under_the_rule_is_complete():
    for rule, complete in (("full_rescale", True), ("pooler", False)):
        delta = convergence_delta(network, lifted(X, BASELINE, rule), X, BASELINE)
        assert (np.abs(delta) < 1e-5).all() == complete


def test_where_nothing_changes_the_slope_is_the_functions_own():
    turned = X[:, [1, 0, 2, 3]]  # of the same mean, so z is exactly z'
    own = jax.jit(jax.grad(lambda x: network(x).sum()))(X)
    found = lifted(X, turned, "full_rescale")
    np.testing.assert_allclose(found, (X - turned) * own, atol=1e-6)
    assert np.abs(found[:, :2]).min() > 0
    np.testing.assert_array_equal(lifted(X, X, "full_rescale"), 0)


def test_second_order_goes_through_the_quotient():
    baseline = jnp.asarray(BASELINE)

    def loss(x, scale):
        def target(v, nonlinearity=unchanged):
            return network(v * scale, nonlinearity)

        found = deep_lift(target, x, baseline, rule="full_rescale", aa_grad="second_order")
        return (found[..., 0] ** 2).sum()

    x, step = jnp.asarray(X), 1e-3
    slope = jax.jit(jax.grad(loss, 1))(x, 1.0)
    loss = jax.jit(loss)
    expected = (loss(x, 1 + step) - loss(x, 1 - step)) / (2 * step)
    np.testing.assert_allclose(slope, expected, rtol=1e-2)
