"""Samplers of rationale masks, and masks of the best k percent."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax import masks
from n2r_jax.errors import UserError

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


K = (1, 5, 10, 20, 50, 100)
top_k_percent = partial(jax.jit, static_argnames=("k", "rounding"))(masks.top_k_percent)


def first(valid):
    return jnp.zeros_like(valid).at[:, 0].set(1)


def ragged(rows=3, units=40):
    """Scores, valid units and the first position of texts of different lengths."""
    scores = jnp.asarray(np.random.default_rng(1).normal(size=(rows, units)), jnp.float32)
    length = units - 7 * jnp.arange(rows)
    valid = (jnp.arange(units)[None] < length[:, None]).astype(jnp.float32)
    return scores, valid


@pytest.mark.parametrize(
    ("rounding", "sizes"),
    [
        # n = 7, 5, 25, 15
        ("half_even", {1: [1, 1, 1, 1], 10: [1, 1, 2, 2], 50: [4, 2, 12, 8], 100: [7, 5, 25, 15]}),
        ("floor", {1: [1, 1, 1, 1], 10: [1, 1, 2, 1], 50: [3, 2, 12, 7], 100: [7, 5, 25, 15]}),
    ],
)
def test_sizes_leave_the_first_position_out_and_are_at_least_1(rounding, sizes):
    scores = jnp.zeros((4, 26))
    valid = (jnp.arange(26)[None] <= jnp.asarray([7, 5, 25, 15])[:, None]).astype(jnp.float32)
    mask = top_k_percent(scores, valid, tuple(sizes), always=first(valid), rounding=rounding)
    np.testing.assert_array_equal(mask.sum(2) - 1, list(sizes.values()))


def test_sizes_of_all_lengths_are_rounded_half_to_even():
    k, units = (1, 5, 10, 30, 50), 512
    valid = jnp.tril(jnp.ones((units, units)))
    size = top_k_percent(jnp.zeros((units, units)), valid, k).sum(2)
    exact = [[max(1, round(Fraction(n * each, 100))) for n in range(1, units + 1)] for each in k]
    np.testing.assert_array_equal(size, exact)


def test_a_gru_has_no_special_position():
    scores, valid = jnp.asarray([[9.0, 1.0, 3.0, 8.0]]), jnp.asarray([[1.0, 1.0, 1.0, 0.0]])
    mask = top_k_percent(scores, valid, (50,))
    np.testing.assert_array_equal(mask, [[[1, 0, 1, 0]]])
    np.testing.assert_array_equal(masks.complements(mask, valid), [[[0, 1, 0, 0]]])


def test_special_positions_are_in_both_and_the_first_of_equal_scores_wins():
    scores, valid = jnp.zeros((1, 6)), jnp.ones((1, 6)).at[0, 5].set(0)
    always = first(valid)
    mask = top_k_percent(scores, valid, (50,), always=always)
    np.testing.assert_array_equal(mask, [[[1, 1, 1, 0, 0, 0]]])
    rest = masks.complements(mask, valid, always)
    np.testing.assert_array_equal(rest, [[[1, 0, 0, 1, 1, 0]]])


def test_a_barred_unit_is_counted_but_not_selected():
    scores, valid = jnp.arange(6.0)[None], jnp.ones((1, 6))
    last = jnp.zeros((1, 6)).at[0, 5].set(1)
    mask = top_k_percent(scores, valid, (60, 100), always=first(valid), never=last)
    np.testing.assert_array_equal(mask[:, 0], [[1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0]])


def test_masks_of_nested_k_are_nested_and_their_complements_share_the_units_out():
    scores, valid = ragged()
    always = first(valid)
    mask = top_k_percent(scores, valid, K, always=always)
    assert (mask[1:] >= mask[:-1]).all()
    np.testing.assert_array_equal(mask[-1], valid)
    shared = mask + masks.complements(mask, valid, always)
    np.testing.assert_array_equal(shared, jnp.broadcast_to((valid + always)[None], mask.shape))


def test_padding_changes_no_mask_whatever_it_holds():
    scores, valid = ragged()
    whole = top_k_percent(scores, valid, K)
    pad = ((0, 0), (0, 5))
    for wild in (np.inf, np.nan):
        wide = np.pad(np.where(valid > 0, scores, wild), pad, constant_values=wild)
        got = top_k_percent(wide.astype(np.float32), np.pad(valid, pad), K)
        np.testing.assert_array_equal(got, np.pad(whole, ((0, 0), *pad)))
    nothing = top_k_percent(scores, np.zeros_like(valid), K)
    assert not nothing.any()


def test_an_infinite_score_is_a_score():
    scores = jnp.asarray([[5.0, -jnp.inf, -jnp.inf, jnp.inf]])
    valid = jnp.asarray([[0.0, 1.0, 1.0, 1.0]])
    mask = top_k_percent(scores, valid, (60, 100))
    np.testing.assert_array_equal(mask[:, 0], [[0, 1, 0, 1], [0, 1, 1, 1]])


def test_no_gradient_reaches_the_scores_and_compiling_changes_nothing():
    scores, valid = ragged()

    def total(s):
        mask = masks.top_k_percent(s, valid, K)
        return (mask * jnp.arange(40.0)[None, None]).sum(), mask

    (_, mask), slope = jax.jit(jax.value_and_grad(total, has_aux=True))(scores)
    assert not slope.any()
    np.testing.assert_array_equal(mask, masks.top_k_percent(scores, valid, K))


@pytest.mark.parametrize("k", [(), (0,), (101,), (-1, 5), (float("nan"),), ("many",), "15", 10])
def test_a_bad_set_of_percentages_is_one_clear_line(k):
    with pytest.raises(UserError, match=r"top-k percentages?\b"):
        masks.top_k_percent(jnp.zeros((1, 3)), jnp.ones((1, 3)), k)


def test_an_unknown_rounding_is_one_clear_line():
    with pytest.raises(UserError, match=r"rounding .* half_even, floor"):
        masks.top_k_percent(jnp.zeros((1, 3)), jnp.ones((1, 3)), (5,), rounding="up")
