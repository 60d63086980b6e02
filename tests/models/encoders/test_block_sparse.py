"""Block-sparse attention: who sees whom, exact shares, gradients of visibility, linear memory."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.block_sparse import GROUP, attend_blocks, is_sparse, random_blocks
from n2r_jax.models.encoders.interface import EncoderOptions

HARD = EncoderOptions()
SOFT = EncoderOptions(soft_visibility=True)
DROPS = EncoderOptions(attention_dropout=0.4)
KEY = jax.random.key(3)
BLOCK, HEADS, ROWS = 4, 2, jnp.arange(2)
BOTH = pytest.mark.parametrize("options", [HARD, SOFT], ids=["hard", "soft"])


def heads(blocks=9, seed=0):
    draws = np.random.default_rng(seed).normal(0, 1, (3, 2, blocks * BLOCK, HEADS, 8))
    return tuple(jnp.asarray(draws, jnp.float32))


def visibility(blocks=9, seed=1):
    rng = np.random.default_rng(seed)
    shape = (2, blocks * BLOCK)
    visible = rng.uniform(0.05, 1, shape) * (rng.uniform(size=shape) < 0.7)
    visible[:, 0] = 1
    return jnp.asarray(visible, jnp.float32)


@partial(jax.jit, static_argnames=("options", "random"))
def sparse(queries, keys, values, visible, options=HARD, key=None, random=1, row=ROWS):
    return attend_blocks(
        queries, keys, values, visible, options, key, row, block=BLOCK, random=random
    )


def counts_of(blocks, random, key):
    """How often each head's query block counts each key block [n, c, c], by the definition."""
    counts = np.zeros((HEADS, blocks, blocks))
    counts[:, [0, -1]] = 1
    chosen = None if key is None else random_blocks(jax.random.split(key, 3)[0], HEADS, blocks, 1)
    for head, own in np.ndindex(HEADS, blocks - 2):
        for seen in {0, own, own + 1, own + 2, blocks - 1}:
            counts[head, own + 1, seen] = 1
        if key is None:
            counts[head, own + 1, 0] += random
        else:
            counts[head, own + 1, np.asarray(chosen)[head, own]] += 1
    return counts


def by_dense_matrices(queries, keys, values, visible, counts):
    """The formula with every pair of pieces written out, in float64."""
    q, k, v, seen = (np.asarray(a, np.float64) for a in (queries, keys, values, visible))
    weights = counts.repeat(BLOCK, 1).repeat(BLOCK, 2)[None] * seen[:, None, None]
    weights = weights * np.exp(np.einsum("bqnd,bknd->bnqk", q, k) / q.shape[3] ** 0.5)
    return np.einsum("bnqk,bknd->bqnd", weights / weights.sum(-1, keepdims=True), v)


@pytest.mark.parametrize(("blocks", "count"), [(7, 1), (8, 3), (16, 3), (64, 5)])
def test_random_blocks_are_different_ones_not_attended_to_anyhow(blocks, count):
    draws = jax.vmap(lambda key: random_blocks(key, 3, blocks, count))(jax.random.split(KEY, 50))
    assert draws.shape == (50, 3, blocks - 2, count)
    for own, found in enumerate(np.moveaxis(np.asarray(draws), 2, 0).reshape(blocks - 2, -1)):
        sets = found.reshape(-1, count)
        assert all(len(set(one)) == count for one in sets.tolist())
        allowed = set(range(1, blocks - 1)) - {own, own + 1, own + 2}
        assert set(found.tolist()) <= allowed
        if blocks < 20:
            assert set(found.tolist()) == allowed


def test_all_sets_of_random_blocks_are_as_likely():
    keys = jax.random.split(KEY, 4000)
    draws = np.sort(np.asarray(jax.vmap(lambda key: random_blocks(key, 1, 10, 2))(keys))[:, 0], -1)
    for own in (0, 3, 7):  # at the edges 6 blocks are left to draw from, else 5
        sets, times = np.unique(draws[:, own], axis=0, return_counts=True)
        assert len(sets) == (15 if own in (0, 7) else 10)
        assert abs(times * len(sets) / 4000 - 1).max() < 0.25


@BOTH
@pytest.mark.parametrize(
    ("blocks", "key", "random"),
    [(9, None, 0), (9, None, 2), (9, KEY, 1), (2 * GROUP + 5, None, 1), (2 * GROUP + 5, KEY, 1)],
)
def test_it_is_full_attention_with_most_pairs_left_out(options, blocks, key, random):
    visible = visibility(blocks)
    found = sparse(*heads(blocks), visible, options, key, random)
    weight = visible if options is SOFT else visible > 0
    expected = by_dense_matrices(*heads(blocks), weight, counts_of(blocks, random, key))
    shown = np.asarray(visible > 0)
    np.testing.assert_allclose(np.asarray(found)[shown], expected[shown], atol=2e-6)
    if options is HARD:
        assert not np.asarray(found)[~shown].any()


@pytest.mark.parametrize(
    ("blocks", "random", "key", "covered"),
    [(3, 0, None, range(3)), (4, 0, None, range(4)), (9, 4, KEY, (0, *range(2, 7), 8))],
)
def test_where_every_block_is_attended_to_it_is_full_attention(blocks, random, key, covered):
    visible = visibility(blocks)
    found = sparse(*heads(blocks), visible, SOFT, key, random)
    expected = jax.jit(attend, static_argnums=4)(*heads(blocks), visible, SOFT, None, ROWS)
    at = [BLOCK * block + place for block in covered for place in range(BLOCK)]
    np.testing.assert_allclose(found[:, np.array(at)], expected[:, np.array(at)], atol=2e-6)


@BOTH
@pytest.mark.parametrize("key", [None, KEY])
def test_what_invisible_pieces_hold_changes_nothing(options, key):
    queries, keys, values = heads()
    visible = visibility()
    hidden = (visible == 0)[:, :, None, None]
    found = sparse(
        queries,
        jnp.where(hidden, 90.0, keys),
        jnp.where(hidden, -1e4, values),
        visible,
        options,
        key,
    )
    np.testing.assert_array_equal(found, sparse(*heads(), visible, options, key))


def test_visibility_has_the_gradient_of_finite_differences():
    visible = visibility().at[:, 13].set(0.0)
    counts = counts_of(9, 2, None)
    ends = lambda out: out[:, 0].sum()  # noqa: E731
    middle = lambda out: out[:, 17].sum() - 2 * out[:, 6].sum()  # noqa: E731
    exact = np.asarray(visible, np.float64)

    def slope(loss, b, j, step):
        moved = exact.copy()
        moved[b, j] += step
        out, base = (by_dense_matrices(*heads(), v, counts) for v in (moved, exact))
        return (loss(out) - loss(base)) / step

    def of_both(v):
        out = sparse(*heads(), v, SOFT, None, 2)
        return ends(out) + middle(out)

    gradient = np.asarray(jax.grad(of_both)(visible))
    for b, j in [(0, 0), (0, 13), (1, 13), (1, 18), (0, 25), (1, 34)]:
        # Of a hidden piece the chord to the heaviest, which the middle blocks count three times.
        steps = (1e-7, 1e-7) if exact[b, j] else (1.0, 3.0)
        expected = slope(ends, b, j, steps[0]) + slope(middle, b, j, steps[1])
        np.testing.assert_allclose(gradient[b, j], expected, rtol=1e-3, atol=1e-4)
    assert np.abs(gradient[:, 13]).min() > 1e-4  # a piece not seen yet may ask to be seen


@BOTH
@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_gradients_are_finite_where_little_or_nothing_is_visible(options, spread):
    visible = jnp.zeros((2, 36)).at[1, 13].set(1e-30).at[1, 14].set(1e-6)

    def loss(q, k, v, visible):
        return (sparse(q, k, v, visible, options, KEY) ** 2).sum()

    parts = tuple(spread * part for part in heads())
    value, gradients = jax.value_and_grad(loss, (0, 1, 2, 3))(*parts, visible)
    assert np.isfinite(value)
    for gradient in gradients:
        assert np.isfinite(np.asarray(gradient)).all()


def test_dropout_depends_on_the_rows_place_and_keeps_the_mean():
    visible = jnp.ones((2, 36))
    whole = sparse(*heads(), visible, DROPS, KEY)
    parts = [part[1:] for part in heads()]
    alone = sparse(*parts, visible[1:], DROPS, KEY, row=ROWS[1:])
    np.testing.assert_allclose(alone[0], whole[1], atol=1e-6)
    draw = partial(sparse, *heads(), visible, DROPS, random=0)
    many = jax.vmap(lambda key: draw(key=key))(jax.random.split(KEY, 300))
    without = sparse(*heads(), visible, HARD, None, random=0)
    np.testing.assert_allclose(many.mean(0), without, atol=0.2)
    assert many.var(0).min() > 1e-4


def largest_array(pieces):
    """How many numbers the largest array has in the forward and backward pass."""
    shape = jax.ShapeDtypeStruct((1, pieces, HEADS, 8), jnp.float32)
    visible = jax.ShapeDtypeStruct((1, pieces), jnp.float32)

    def loss(q, k, v, visible):
        return sparse(q, k, v, visible, SOFT, KEY, row=ROWS[:1]).sum()

    def sizes(jaxpr):
        for equation in jaxpr.eqns:
            yield from (getattr(x.aval, "size", 0) for x in equation.outvars)
            for inner in jaxprs_in_params(equation.params):
                yield from sizes(inner)

    traced = jax.make_jaxpr(jax.grad(loss, (0, 1, 2, 3)))(shape, shape, shape, visible)
    return max(sizes(traced.jaxpr))


def test_no_array_grows_with_the_square_of_the_length():
    assert largest_array(512) < 2.1 * largest_array(256) < 2.1 * 256**2


def test_short_texts_are_left_to_full_attention():
    assert not is_sparse(704, block=64, random=3)
    assert is_sparse(705, block=64, random=3)
