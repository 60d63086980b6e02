"""Learning rates by time and by depth; what is clipped and decayed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from n2r_jax.training.optimizers import Schedule, adam, rate_of

CONSTANT = Schedule()


def first_change(optimizer, params, gradients):
    changes, _ = optimizer.update(gradients, optimizer.init(params), params)
    return changes


def test_by_default_it_is_adam():
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(3)}
    gradients = jax.tree.map(lambda leaf: 0.1 * leaf, params)
    found = first_change(adam(1e-2, CONSTANT), params, gradients)
    wanted = first_change(optax.adam(1e-2), params, gradients)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize(
    ("name", "middle", "last"), [("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)]
)
def test_the_rate_rises_and_then_stays_or_falls(name, middle, last):
    factor = Schedule(name, warmup=0.2, steps=100).factor
    assert float(factor(jnp.asarray(0))) == pytest.approx(1 / 20)
    assert float(factor(jnp.asarray(60))) == pytest.approx(middle)
    assert float(factor(jnp.asarray(100))) == pytest.approx(last, abs=1e-6)


def test_without_bias_correction_the_first_changes_are_by_hand():
    optimizer = adam(2e-5, CONSTANT, corrected=False)
    params = {"w": jnp.array([1.0, -1.0])}
    state = optimizer.init(params)
    first, state = optimizer.update({"w": jnp.array([0.5, -3.0])}, state, params)
    # m = .1 g, v = .02 g^2: whatever g, a change of rate * .1 / sqrt(.02).
    by_hand = -2e-5 * 0.1 / 0.02**0.5
    np.testing.assert_allclose(first["w"], [by_hand, -by_hand], rtol=1e-5)
    second, _ = optimizer.update({"w": jnp.array([0.5, 0.0])}, state, params)
    # m = .9 * .05 + .1 * .5 = .095, v = .98 * .005 + .02 * .25 = .0099; of the other -.27, .1764.
    wanted = [-2e-5 * 0.095 / 0.0099**0.5, 2e-5 * 0.27 / 0.1764**0.5]
    np.testing.assert_allclose(second["w"], wanted, rtol=1e-5)


def test_the_releases_schedule_starts_at_0():
    factor = Schedule("linear_from_0", warmup=0.1, steps=2160).factor
    found = [float(factor(jnp.asarray(count))) for count in (0, 108, 216, 1188, 2160, 2170)]
    np.testing.assert_allclose(found, [0, 0.5, 1, 0.5, 0, 0], atol=1e-6)


def test_a_schedule_counts_the_groups_own_updates():
    optimizer = adam(1.0, Schedule("linear", steps=4))
    params = {"w": jnp.zeros(())}
    state, sizes = optimizer.init(params), []
    for _ in range(5):
        changes, state = optimizer.update({"w": jnp.ones(())}, state, params)
        sizes.append(-float(changes["w"]))
    np.testing.assert_allclose(sizes, [1, 0.75, 0.5, 0.25, 0], atol=1e-5)


def test_deeper_layers_learn_slower_and_frozen_ones_not_at_all():
    rates = {
        path: rate_of(path, layers=2, decay=0.5, frozen=1, head=10.0)
        for path in [
            ("encoder", "embeddings", "word"),
            ("encoder", "layer_0", "attention"),
            ("layer_1", "attention"),
            ("pooler", "kernel"),
            ("head", "kernel"),
        ]
    }
    assert list(rates.values()) == [0.0, 0.25, 0.5, 1.0, 10.0]


def test_what_is_frozen_is_not_decayed_either():
    by_path = lambda path: 0.0 if path[0] == "still" else 1.0  # noqa: E731
    optimizer = adam(0.1, CONSTANT, weight_decay=0.5, rate_of=by_path)
    params = {"still": jnp.ones((2, 2)), "moves": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    changes = first_change(optimizer, params, jax.tree.map(jnp.zeros_like, params))
    assert not changes["still"].any() and not changes["bias"].any()
    np.testing.assert_allclose(changes["moves"], -0.05)


def test_what_is_frozen_has_no_moments_and_never_moves():
    by_path = lambda path: 0.0 if path[0] == "still" else 2.0  # noqa: E731
    params = {"still": jnp.ones((5, 7)), "moves": jnp.ones(3)}
    optimizer = adam(0.1, CONSTANT, rate_of=by_path)
    state = optimizer.init(params)
    assert (5, 7) not in [leaf.shape for leaf in jax.tree.leaves(state)]
    changes, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
    assert not changes["still"].any()
    np.testing.assert_allclose(changes["moves"], -0.2, rtol=1e-5)


def test_gradients_are_clipped_as_one():
    optimizer = optax.chain(adam(1.0, CONSTANT, clip_norm=1.0))
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    gradients = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    _, state = optimizer.update(gradients, optimizer.init(params))
    moments = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (1,)]
    np.testing.assert_allclose(sorted(float(m[0]) for m in moments)[-2:], [0.06, 0.08], atol=1e-6)
