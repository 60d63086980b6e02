"""The compiled attention against XLA's, in every shape that its tiles have to round up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax import runtime
from n2r_jax.kernels import native
from n2r_jax.kernels.attention import Chosen, weighted_attention

ROWS = jnp.array([7, 3])
SEED = jnp.array([5, 6], jnp.uint32)
compiled = pytest.mark.skipif(not native.available(), reason="no C++ compiler here")


def made(queries, keys, heads, depth, seed=0):
    """Queries, keys, values, weights (one text has none above zero) and dL/dout."""
    rng = np.random.default_rng(seed)
    sizes = [(queries, heads, depth), (keys, heads, depth), (keys, heads, depth)]
    arrays = [rng.normal(0, 1.5, (2, *size)) for size in sizes]
    weight = rng.uniform(size=(2, keys)) * (rng.uniform(size=(2, keys)) < 0.7)
    weight[0] = 0
    d_out = rng.normal(size=(2, queries, heads, depth))
    return [jnp.asarray(a, jnp.float32) for a in (*arrays, weight, d_out)]


def run(arrays, chosen):
    """The result and all gradients."""

    def attend(*arguments):
        return weighted_attention(*arguments, SEED, ROWS, chosen)

    @jax.jit
    def both(*arguments, d_out):
        out, pull = jax.vjp(attend, *arguments)
        return (out, *pull(d_out))

    *arguments, d_out = arrays
    return both(*arguments, d_out=d_out)


def plainly(monkeypatch, arrays, chosen):
    with monkeypatch.context() as patch:
        patch.setattr(native, "suits", lambda array: False)
        return run(arrays, chosen)


@compiled
@pytest.mark.parametrize(
    ("queries", "keys", "heads", "depth", "chosen"),
    [
        (64, 64, 2, 64, Chosen(0.0, None)),
        (61, 61, 3, 24, Chosen(0.2, None)),
        (50, 50, 1, 80, Chosen(0.0, 6)),
        (3, 3, 2, 5, Chosen(0.3, 1)),
        (1, 37, 2, 32, Chosen(0.1, None)),
        (30, 2081, 1, 8, Chosen(0.0, None)),
    ],
)
def test_the_compiled_functions_agree_with_xla(monkeypatch, queries, keys, heads, depth, chosen):
    arrays = made(queries, keys, heads, depth)
    assert native.suits(arrays[0])
    found, expected = run(arrays, chosen), plainly(monkeypatch, arrays, chosen)
    for name, one, other in zip(("out", *"qkvw"), found, expected, strict=True):
        bound = 3e-6 * max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, atol=bound, rtol=1e-4, err_msg=name)
        assert np.isfinite(one).all()


@compiled
@pytest.mark.parametrize("least", [1e-36, 2e-32, 1e-9])
def test_large_scores_and_tiny_weights_stay_finite(monkeypatch, least):
    queries, keys, values, weight, d_out = made(20, 20, 2, 16)
    weight = weight.at[1].set(least).at[1, 3].set(0.0)
    arrays = [40 * queries, keys, values, weight, d_out]
    chosen = Chosen(0.0, None)
    found, expected = run(arrays, chosen), plainly(monkeypatch, arrays, chosen)
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one).all()
        assert np.isfinite(other).all()
    np.testing.assert_allclose(found[0], expected[0], atol=1e-4)
    if least > 1e-32:  # weights count relative to each other alone
        arrays[3] = (weight > 0).astype(jnp.float32)
        np.testing.assert_allclose(found[0][1], run(arrays, chosen)[0][1], atol=1e-4)


@compiled
def test_exponentials_are_exact_to_float32():
    scores = np.linspace(-95, 30, 4001).astype(np.float32)
    one = jnp.ones((1, 1, 1, 1))
    keys = jnp.asarray(scores).reshape(1, -1, 1, 1)
    weight = jnp.ones((1, scores.size))
    row = jnp.zeros(1, jnp.int32)
    found = jax.vmap(
        lambda v: weighted_attention(one, keys, v, weight, SEED, row, Chosen(0.0, None))
    )(jnp.eye(scores.size)[::97].reshape(-1, 1, scores.size, 1, 1))
    exact = np.exp(scores.astype(np.float64) - 30)
    expected = (exact / exact.sum())[::97]
    found = np.asarray(found, np.float64).ravel()
    normal = expected > 1e-36
    np.testing.assert_allclose(found[normal], expected[normal], rtol=2e-6)
    assert np.abs(found[~normal]).max() < 1e-35


@compiled
def test_several_members_of_a_vmap_are_done_one_by_one(monkeypatch):
    arrays = [jnp.stack([a, 2 * a]) for a in made(9, 9, 2, 8)[:4]]
    chosen = Chosen(0.1, None)

    def attend(q, k, v, w):
        return weighted_attention(q, k, v, w, SEED, ROWS, chosen)

    found = jax.vmap(attend)(*arrays)
    for member in (0, 1):
        alone = attend(*(a[member] for a in arrays))
        np.testing.assert_array_equal(found[member], alone)


@compiled
def test_threads_share_the_heads_on_every_device_at_once(monkeypatch):
    arrays = made(40, 40, 5, 16)
    chosen = Chosen(0.1, None)
    alone = run(arrays, chosen)
    monkeypatch.setattr(runtime, "cores", lambda: 64)
    devices = jax.local_devices()[:4]
    for _ in range(3):
        copies = [jax.device_put(arrays, device) for device in devices]
        for found in [run(copy, chosen) for copy in copies]:
            jax.tree.map(np.testing.assert_array_equal, found, alone)
