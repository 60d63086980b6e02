"""A GRU that reads projected words against the one that reads vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.kernels import native
from n2r_jax.kernels.bigru import bigru_max, bigru_states
from n2r_jax.kernels.gru import Weights
from n2r_jax.kernels.token_scores import (
    HalfMoments,
    Head,
    StateMoments,
    scores_of_moments,
    token_scores,
)
from n2r_jax.kernels.word_gru import LANES, Words, project, word_max, word_moments

if not native.available():
    pytest.skip("no C++ compiler here", allow_module_level=True)

SIZES = [(1, 1, 1, 1), (7, 3, 5, 2), (9, 13, 11, 33), (6, 40, 20, 70), (13, 17, 33, 16)]
WORDS = 12


def make(steps, features, units, batch, seed=0):
    """Weights, a table of vectors, ids, a mask with zeros and other factors, and lengths from 0."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape, scale=0.5), jnp.float32)

    shapes = ((2, 3, units, features), (2, 3, units, units), (2, 3, units), (2, 3, units))
    weights = Weights(*(draw(*shape) for shape in shapes))
    vectors = draw(WORDS, features).at[0].set(0)
    valid = np.arange(steps)[:, None] < rng.integers(0, steps + 1, batch)
    ids = jnp.asarray(rng.integers(0, WORDS, (steps, batch)) * valid)
    mask = rng.choice([0, 0, 1, 0.5, -2], (steps, batch)) * valid
    head = Head(draw(2, units), 1 + draw(2, units), draw(2, units))
    mask, valid = (jnp.asarray(a, jnp.float32) for a in (mask, valid))
    return weights, vectors, ids, mask, valid, head


@pytest.mark.parametrize("sizes", SIZES)
def test_equals_the_gru_over_vectors_at_any_size(sizes):
    weights, vectors, ids, mask, valid, head = make(*sizes)
    words = Words(project(weights, vectors), ids)
    inputs = vectors[ids].transpose(0, 2, 1)
    states = bigru_states(weights, inputs, valid)
    expected = token_scores(states, head, jnp.arange(sizes[-1]), 0.0, None)
    got = scores_of_moments(word_moments(weights, words, valid, head.weight * head.scale), head)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=3e-5)
    pool = valid.at[0].set(0)
    np.testing.assert_allclose(
        word_max(weights, words, mask, valid, pool),
        bigru_max(weights, inputs, mask, valid, pool),
        rtol=1e-5,
        atol=1e-5,
    )


def test_without_an_end_texts_run_to_the_last_step():
    weights, vectors, ids, mask, _, _ = make(5, 4, 6, 3)
    words, everywhere = Words(project(weights, vectors), ids), jnp.ones(ids.shape)
    inputs = vectors[ids].transpose(0, 2, 1)
    got = word_max(weights, words, mask, everywhere, everywhere)
    expected = bigru_max(weights, inputs, mask, everywhere, everywhere)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_rows_of_the_table_are_whole_cache_lines_and_zero_for_the_vector_of_zeros():
    weights, vectors, *_ = make(2, 3, 11, 2)
    for direction, table in enumerate(project(weights, vectors)):
        assert table.shape == (WORDS, 48)
        assert table.shape[1] % LANES == 0
        expected = vectors @ weights.input[direction].reshape(33, -1).T
        np.testing.assert_allclose(table[:, :33], expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(table[0], 0)
        np.testing.assert_array_equal(table[:, 33:], 0)


def test_an_id_outside_the_table_reads_its_nearest_row():
    weights, vectors, ids, mask, valid, _ = make(6, 3, 5, 4)
    projected = project(weights, vectors)
    outside = jnp.where(ids == 0, -5, jnp.where(ids == WORDS - 1, 10**6, ids))
    got, expected = (
        word_max(weights, Words(projected, i), mask, valid, valid) for i in (outside, ids)
    )
    np.testing.assert_array_equal(got, expected)


def test_moments_of_halves_far_from_zero_lose_nothing():
    rng = np.random.default_rng(0)
    units, far = 50, 100.0
    halves = [far + 0.1 * rng.normal(size=(1, units, 8)) for _ in range(2)]
    states = tuple(jnp.asarray(half, jnp.float32) for half in halves)
    head = Head(*(jnp.asarray(rng.normal(size=(2, units)), jnp.float32) for _ in range(3)))
    moments = []
    for half, slope in zip(states, head.weight * head.scale, strict=True):
        deviation = half - half.mean(1, keepdims=True)
        product = (slope[None, :, None] * deviation).sum(1)
        moments.append(HalfMoments(half.mean(1), (deviation**2).sum(1), product))
    expected = token_scores(states, head, jnp.arange(8), 0.0, None)
    got = scores_of_moments(StateMoments(*moments), head)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-2)


def test_vmaps_over_runs():
    weights, vectors, ids, mask, valid, _ = make(4, 3, 5, 6)
    several = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), weights)
    tables = jax.vmap(lambda w: project(w, vectors))(several)
    run = lambda w, t: word_max(w, Words(t, ids), mask, valid, valid)  # noqa: E731
    together = jax.vmap(run)(several, tables)
    alone = run(*jax.tree.map(lambda a: a[1], (several, tables)))
    np.testing.assert_allclose(together[1], alone, rtol=1e-5, atol=1e-5)
