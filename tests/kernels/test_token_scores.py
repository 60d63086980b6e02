"""LayerNorm, dropout and a linear layer: by XLA and by the compiled functions, as defined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.kernels import native
from n2r_jax.kernels.dropout import dropout
from n2r_jax.kernels.token_scores import EPSILON, Head, token_scores

T, H, B = 5, 7, 19
ROW = jnp.arange(B) + 40
KEY = jax.random.key(3)


@pytest.fixture(autouse=True, params=["xla", "native"])
def kernel(request, monkeypatch):
    if request.param == "native" and not native.available():
        pytest.skip("no C++ compiler here")
    monkeypatch.setattr(native, "suits", lambda _: request.param == "native")


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    return (draw(T, H, B), draw(T, H, B)), Head(draw(2, H), 1 + 0.1 * draw(2, H), draw(2, H))


def plain(states, head, row, rate, key):
    """The definition, all tokens at once."""
    both = jnp.concatenate(states, 1)
    centred = both - both.mean(1, keepdims=True)
    normed = centred / jnp.sqrt((centred**2).mean(1, keepdims=True) + EPSILON)
    normed = normed * head.scale.reshape(1, -1, 1) + head.offset.reshape(1, -1, 1)
    keys = (None, None) if key is None else jax.random.split(key)
    halves = zip(jnp.split(normed, 2, 1), keys, strict=True)
    kept = jnp.concatenate([dropout(half, key, row, rate) for half, key in halves], 1)
    return jnp.einsum("f,tfb->tb", head.weight.ravel(), kept)


@pytest.mark.parametrize(("rate", "key"), [(0.3, KEY), (0.3, None), (0.0, KEY)])
def test_scores_and_gradients_are_those_of_the_definition(case, rate, key):
    def loss(function):
        return lambda *case: jnp.sin(function(*case, ROW, rate, key)).sum()

    got = jax.jit(jax.value_and_grad(loss(token_scores), (0, 1)))(*case)
    expected = jax.value_and_grad(loss(plain), (0, 1))(*case)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5), got, expected)


def test_a_constant_state_has_the_score_of_the_offsets(case):
    _, head = case
    still = (jnp.full((T, H, B), 0.25),) * 2
    expected = (head.weight * head.offset).sum()
    got = token_scores(still, head, ROW, 0.3, None)
    np.testing.assert_allclose(got, jnp.full((T, B), expected), rtol=1e-4, atol=1e-5)


def test_a_row_is_scored_alike_in_any_company(case):
    states, head = case
    whole = token_scores(states, head, ROW, 0.3, KEY)
    part = tuple(half[..., 3:8] for half in states)
    np.testing.assert_allclose(token_scores(part, head, ROW[3:8], 0.3, KEY), whole[:, 3:8], 1e-5)


def test_vmaps_over_runs(case):
    states, head = case
    heads = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), head)
    together = jax.vmap(lambda h: token_scores(states, h, ROW, 0.3, KEY))(heads)
    alone = token_scores(states, jax.tree.map(lambda a: a[1], heads), ROW, 0.3, KEY)
    np.testing.assert_allclose(together[1], alone, rtol=1e-5, atol=1e-5)
