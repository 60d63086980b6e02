"""LayerNorm of a sum: the formula, its gradients, and the compiled functions against XLA's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax import runtime
from n2r_jax.kernels import native
from n2r_jax.kernels.dropout import dropout
from n2r_jax.kernels.layer_norm import add_norm

KEY, ROWS = jax.random.key(2), jnp.array([4, 9, 2])
compiled = pytest.mark.skipif(not native.available(), reason="no C++ compiler here")
SIZES = pytest.mark.parametrize(("pieces", "features"), [(5, 48), (7, 37), (70, 11)])


def made(pieces=5, features=48):
    rng = np.random.default_rng(0)
    sizes = [(3, pieces, features), (3, pieces, features), (features,), (features,)]
    x, added, scale, offset = (rng.normal(size=size) for size in sizes)
    return tuple(jnp.asarray(a, jnp.float32) for a in (3 * x + 5, added, scale, offset))


def formula(x, added, scale, offset, rate):
    """Without any rule of its own."""
    z = x if added is None else x + dropout(added, KEY, ROWS, rate, layout="btf")
    centred = z - z.mean(-1, keepdims=True)
    normed = centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    return normed * scale[None, None] + offset[None, None]


def ours(x, added, scale, offset, rate):
    return add_norm(x, added, scale, offset, 1e-3, KEY, ROWS, rate)


def with_gradients(function, arrays, rate):
    @jax.jit
    def run(*arrays):
        out, pull = jax.vjp(lambda *a: function(*a, rate), *arrays)
        return out, pull(jnp.cos(3 * out))

    return run(*arrays)


def assert_close(found, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=3e-5, rtol=2e-5), found, expected
    )


@SIZES
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("way", ["compiled", "xla"])
def test_values_and_gradients_are_the_formulas(monkeypatch, pieces, features, rate, way):
    if way == "xla":
        monkeypatch.setattr(native, "suits", lambda array: False)
    elif not native.available():
        pytest.skip("no C++ compiler here")
    arrays = made(pieces, features)
    assert_close(with_gradients(ours, arrays, rate), with_gradients(formula, arrays, rate))


@compiled
def test_nothing_may_be_added():
    x, _, *rest = made()
    found = with_gradients(lambda x, *a: ours(x, None, *a), (x, *rest), 0.3)
    assert_close(found, with_gradients(lambda x, *a: formula(x, None, *a), (x, *rest), 0.3))


@compiled
def test_second_derivatives_are_the_formulas():
    x, added, *rest = made(3, 8)

    def curvature(function, rate=0.2):
        def slope(x):
            return jax.grad(lambda x: (function(x, added, *rest, rate) ** 3).sum())(x)

        return jax.jvp(slope, (x,), (added,))[1], jax.grad(lambda x: (slope(x) ** 2).sum())(x)

    for one, other in zip(curvature(ours), curvature(formula), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(other).max())


@compiled
def test_threads_change_no_bit(monkeypatch):
    arrays = made(70, 40)
    alone = with_gradients(ours, arrays, 0.1)
    monkeypatch.setattr(runtime, "cores", lambda: 64)
    for _ in range(3):
        found = with_gradients(ours, arrays, 0.1)
        jax.tree.map(np.testing.assert_array_equal, found, alone)
