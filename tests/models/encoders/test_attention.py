"""Attention: invisible pieces count nothing, visibility has true gradients, nothing is ever NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.interface import EncoderOptions

HARD = EncoderOptions()
SOFT = EncoderOptions(soft_visibility=True)
DROPS = EncoderOptions(attention_dropout=0.3)
KEY = jax.random.key(7)
ROWS = jnp.arange(4)
BOTH = pytest.mark.parametrize("options", [HARD, SOFT], ids=["hard", "soft"])


def heads(pieces=12, seed=0, spread=1.0):
    draws = np.random.default_rng(seed).normal(0, spread, (3, 4, pieces, 2, 8))
    return tuple(jnp.asarray(draws, jnp.float32))


def visibility(pieces=12, seed=1):
    rng = np.random.default_rng(seed)
    visible = rng.uniform(0.05, 1, (4, pieces)) * (rng.uniform(size=(4, pieces)) < 0.6)
    visible[:, 0] = 1
    return jnp.asarray(visible, jnp.float32)


def by_loops(queries, keys, values, visible, window=None):
    """The formula, piece by piece in float64."""
    q, k, v, seen = (np.asarray(a, np.float64) for a in (queries, keys, values, visible))
    out = np.zeros_like(q)
    for b, i, n in np.ndindex(q.shape[:3]):
        reach = range(q.shape[1]) if window is None else range(i - window, i + window + 1)
        at = [j for j in reach if 0 <= j < q.shape[1] and seen[b, j] > 0]
        weights = seen[b, at] * np.exp(k[b, at, n] @ q[b, i, n] / q.shape[3] ** 0.5)
        out[b, i, n] = weights @ v[b, at, n] / max(weights.sum(), 1e-300)
    return out


@pytest.mark.parametrize("window", [None, 2])
def test_both_ways_are_the_formula(window):
    visible = visibility()
    soft = attend(*heads(), visible, SOFT, None, ROWS, window)
    np.testing.assert_allclose(soft, by_loops(*heads(), visible, window), atol=2e-6)
    if window is None:  # with a window a query may see nothing, and then means nothing
        hard = attend(*heads(), visible, HARD, None, ROWS)
        np.testing.assert_allclose(hard, by_loops(*heads(), visible > 0), atol=2e-6)


@BOTH
def test_what_invisible_pieces_hold_changes_nothing(options):
    queries, keys, values = heads()
    visible = visibility()
    hidden = (visible == 0)[:, :, None, None]
    expected = attend(queries, keys, values, visible, options, None, ROWS)
    other_keys, other_values = jnp.where(hidden, 90.0, keys), jnp.where(hidden, -1e4, values)
    found = attend(queries, other_keys, other_values, visible, options, None, ROWS)
    np.testing.assert_array_equal(found, expected)


@BOTH
@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_gradients_are_finite_where_little_or_nothing_is_visible(options, spread):
    visible = jnp.zeros((4, 12)).at[1, 3].set(1e-6).at[2, 0].set(1.0).at[3].set(1e-30)

    def loss(q, k, v, visible):
        return (attend(q, k, v, visible, options, None, ROWS) ** 2).sum()

    value, gradients = jax.value_and_grad(loss, (0, 1, 2, 3))(*heads(spread=spread), visible)
    assert np.isfinite(value)
    for gradient in gradients:
        assert np.isfinite(np.asarray(gradient)).all()


@pytest.mark.parametrize("window", [None, 3])
def test_visibility_has_the_gradient_of_finite_differences(window):
    visible = visibility().at[:, 5].set(0.0)
    by = np.random.default_rng(2).normal(size=heads()[0].shape)

    def loss(out):
        return (out * by).sum()

    gradient = np.asarray(
        jax.grad(lambda v: loss(attend(*heads(), v, SOFT, None, ROWS, window)))(visible)
    )
    exact = np.asarray(visible, np.float64)
    base = loss(by_loops(*heads(), exact, window))
    for b, j in [(0, 0), (0, 4), (1, 2), (2, 5), (3, 5), (2, 6), (3, 11)]:
        moved, step = exact.copy(), 1e-7 if exact[b, j] else 1.0
        moved[b, j] += step
        expected = (loss(by_loops(*heads(), moved, window)) - base) / step
        np.testing.assert_allclose(gradient[b, j], expected, rtol=1e-3, atol=1e-4)
    assert np.abs(gradient[:, 5]).min() > 1e-3  # a piece not seen yet may ask to be seen


def test_a_hidden_piece_that_would_draw_all_attention_has_a_bounded_gradient():
    queries, keys, values = heads()
    keys = keys.at[:, 5].set(30 * queries[:, 7])
    visible = visibility().at[:, 5].set(0.0)
    run = jax.grad(lambda v: attend(queries, keys, values, v, SOFT, None, ROWS)[:, 7].sum())
    bound = 2 * np.abs(values).sum((1, 2, 3)).max()
    assert 1e-3 < np.abs(run(visible)[:, 5]).max() < bound


def test_dropout_depends_on_the_rows_place_and_the_position_alone():
    visible = visibility()
    whole = attend(*heads(), visible, DROPS, KEY, ROWS)
    assert np.abs(whole - attend(*heads(), visible, DROPS, None, ROWS)).max() > 0.01
    halves = [
        attend(*(a[at] for a in heads()), visible[at], DROPS, KEY, ROWS[at])
        for at in (slice(0, 2), slice(2, 4))
    ]
    np.testing.assert_allclose(jnp.concatenate(halves), whole, atol=1e-6)
    longer = [jnp.pad(a, ((0, 0), (0, 5), (0, 0), (0, 0))) for a in heads()]
    padded = attend(*longer, jnp.pad(visible, ((0, 0), (0, 5))), DROPS, KEY, ROWS)
    np.testing.assert_allclose(padded[:, :12], whole, atol=1e-6)


def test_dropout_keeps_the_mean():
    queries, keys, values = heads()
    visible = visibility()
    keys_of_draws = jax.random.split(KEY, 600)
    draws = jax.vmap(lambda k: attend(queries, keys, values, visible, DROPS, k, ROWS))(
        keys_of_draws
    )
    expected = attend(queries, keys, values, visible, HARD, None, ROWS)
    assert np.abs(draws.mean(0) - expected).max() < 0.15


def test_a_gpu_without_fused_attention_uses_xlas(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    parts = tuple(a.astype(jnp.bfloat16) for a in heads())
    found = attend(*parts, visibility(), HARD, None, ROWS)
    expected = attend(*heads(), visibility(), HARD, None, ROWS)
    np.testing.assert_allclose(found.astype(jnp.float32), expected, atol=0.05)
