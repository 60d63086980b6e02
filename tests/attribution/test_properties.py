"""Axioms that hold of attributions whatever the model: on functions whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.attribution import (
    ATTRIBUTIONS,
    attribute,
    convergence_delta,
    gauss_legendre,
    gradient_shap,
    integrated_gradients,
)
from n2r_jax.errors import UserError

ROWS, PIECES, SIZE = 3, 4, 2
DRAWN = np.random.default_rng(0)
X, BASELINE, WEIGHTS, OTHERS = (
    jnp.asarray(DRAWN.normal(size=(ROWS, PIECES, SIZE)), jnp.float32) for _ in range(4)
)
SETTINGS = {"gradient_shap": {"key": jax.random.key(3), "deviation": 0.1}}
ALL = pytest.mark.parametrize("name", list(ATTRIBUTIONS))
SIGNED = pytest.mark.parametrize("name", [name for name in ATTRIBUTIONS if name != "gradient"])


def raw(name, target, x=X, baseline=BASELINE, **settings):
    settings = {"pooling": "none"} | SETTINGS.get(name, {}) | settings
    return jax.jit(lambda x, baseline: attribute(name, target, x, baseline, **settings))(
        x, baseline
    )


def linear(weights=WEIGHTS):
    return lambda v, nonlinearity=None: (v * weights[: len(v)]).sum((1, 2))


def curved(weights=WEIGHTS):
    return lambda v, nonlinearity=None: jnp.sin(v * weights[: len(v)]).sum(2).prod(1)


def power(degree):
    """Along any path a polynomial of this degree."""
    return lambda v: ((v * WEIGHTS).sum((1, 2)) / 2) ** degree


def delta(steps, degree):
    """Of the change between two inputs, as a share of it."""

    @jax.jit
    def found(x, baseline):
        target = power(degree)
        attributions = integrated_gradients(target, x, baseline, steps=steps)
        change = target(x) - target(baseline)
        return convergence_delta(target, attributions, x, baseline) / change

    return np.abs(found(X, X / 3))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_integrated_gradients_are_complete_for_polynomials(steps):
    for degree in (2 * steps - 1, 2 * steps):
        assert delta(steps, degree).max() < 2e-6
    assert delta(steps, 2 * steps + 2).max() > 2e-5


def test_the_quadrature_is_unirexs_and_holds_for_many_steps():
    nodes, weights = gauss_legendre(3)
    np.testing.assert_allclose(nodes, [0.1127017, 0.5, 0.8872983], atol=1e-7)
    np.testing.assert_allclose(weights, [0.2777778, 0.4444444, 0.2777778], atol=1e-7)
    nodes, weights = gauss_legendre(200)
    assert abs(weights.sum(dtype=np.float64) - 1) < 1e-6
    assert abs((np.exp(nodes, dtype=np.float64) * weights).sum() - (np.e - 1)) < 1e-6


@ALL
def test_a_dimension_that_the_target_ignores_gets_nothing(name):
    found = raw(name, curved(WEIGHTS.at[:, 1, 0].set(0)))
    assert not found[:, 1, 0].any() and (found[:, 1, 1] != 0).all()


@SIGNED
def test_attributions_are_linear_in_the_target(name):
    both = raw(name, lambda v, nonlinearity=None: 2 * curved()(v) - 3 * curved(OTHERS)(v))
    apart = 2 * raw(name, curved()) - 3 * raw(name, curved(OTHERS))
    np.testing.assert_allclose(both, apart, atol=1e-5)


@ALL
def test_what_the_target_treats_alike_gets_alike(name):
    x, baseline, weights = (a.at[:, 2].set(a[:, 0]) for a in (X, BASELINE, WEIGHTS))
    settings = {"deviation": 0.0} if name == "gradient_shap" else {}
    found = raw(name, curved(weights), x, baseline, **settings)
    np.testing.assert_allclose(found[:, 2], found[:, 0], atol=1e-6)


@ALL
def test_rows_are_independent(name):
    whole = raw(name, curved())
    other = raw(name, curved(), X.at[1:].multiply(3.0), BASELINE.at[1:].add(1.0))
    np.testing.assert_allclose(other[0], whole[0], atol=1e-6)
    np.testing.assert_allclose(raw(name, curved(), X[:1], BASELINE[:1])[0], whole[0], atol=1e-6)


@pytest.mark.parametrize("name", ["integrated_gradients", "deep_lift", "gradient_shap"])
def test_of_a_linear_target_all_that_have_a_baseline_agree(name):
    settings = {"deviation": 0.0} if name == "gradient_shap" else {}
    zero = jnp.zeros_like(X)
    expected = raw("input_x_gradient", linear(), X, zero)
    np.testing.assert_allclose(raw(name, linear(), X, zero, **settings), expected, atol=1e-6)
    shifted = raw(name, linear(), X, BASELINE, **settings)
    np.testing.assert_allclose(shifted, (X - BASELINE) * WEIGHTS, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 3, 20])
def test_chunks_change_nothing(chunk):
    expected = raw("integrated_gradients", curved(), steps=7, chunk=7)
    found = raw("integrated_gradients", curved(), steps=7, chunk=chunk)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_where_x_is_the_baseline_nothing_is_attributed():
    for name in ("integrated_gradients", "deep_lift"):
        found = raw(name, curved(), X, BASELINE.at[:, 1].set(X[:, 1]))
        assert not found[:, 1].any() and found[:, 0].any()


def test_pooling_is_a_signed_sum_of_dimensions_in_float32():
    x, baseline = X.astype(jnp.bfloat16), BASELINE.astype(jnp.bfloat16)
    for name in ATTRIBUTIONS:
        unpooled = raw(name, curved(), x, baseline)
        assert unpooled.dtype == jnp.float32
        pooled = raw(name, curved(), x, baseline, pooling="sum")
        np.testing.assert_allclose(pooled, unpooled.sum(2), atol=1e-6)
    assert (raw("gradient", curved()) >= 0).all()


def test_gradient_shap_goes_by_seed_row_and_place_alone():
    def found(key=0, x=X, baseline=BASELINE, row=None, weights=WEIGHTS):
        settings = {"key": jax.random.key(key), "row": row, "deviation": 0.3, "samples": 4}
        return np.asarray(raw("gradient_shap", curved(weights), x, baseline, **settings))

    whole = found()
    np.testing.assert_array_equal(found(), whole)
    assert np.abs(found(key=1) - whole).max() > 1e-3
    np.testing.assert_allclose(
        found(0, X[2:], BASELINE[2:], jnp.array([2]), WEIGHTS[2:]), whole[2:], atol=1e-6
    )
    longer = [jnp.pad(a, ((0, 0), (0, 3), (0, 0))) for a in (X, BASELINE)]

    def shorter(v):
        return curved()(v[:, :PIECES])

    settings = {"key": jax.random.key(0), "deviation": 0.3, "samples": 4}
    found_longer = raw("gradient_shap", shorter, *longer, **settings)
    np.testing.assert_allclose(found_longer[:, :PIECES], whole, atol=1e-6)


def test_gradient_shap_is_complete_in_the_mean_over_its_baselines():
    several = jnp.stack([BASELINE, OTHERS])
    target = curved(WEIGHTS / 2)
    settings = {"key": jax.random.key(1), "samples": 4000, "chunk": 500}
    found = jax.jit(lambda x: gradient_shap(target, x, several, **settings))(X).sum((1, 2))
    expected = target(X) - (target(BASELINE) + target(OTHERS)) / 2
    np.testing.assert_allclose(found, expected, atol=0.05)
    one = raw("gradient_shap", linear(), X, several[:1], samples=3, deviation=0.0)
    np.testing.assert_allclose(one, (X - BASELINE) * WEIGHTS, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("lime", {}, "attribution is 'lime'; it must be one of gradient, input_x_gradient"),
        ("gradient", {"pooling": "mean"}, "pooling"),
        ("gradient", {"aa_grad": "third_order"}, "aa_grad"),
        ("integrated_gradients", {"steps": 0}, "steps is 0"),
        ("integrated_gradients", {"chunk": 0}, "chunk is 0"),
        ("deep_lift", {"rule": "reveal_cancel"}, "rule"),
        ("gradient_shap", {"key": jax.random.key(0), "samples": 0}, "samples is 0"),
        ("gradient_shap", {"key": jax.random.key(0), "deviation": -1.0}, "deviation is -1"),
    ],
)
def test_a_setting_that_cannot_be_is_named(name, settings, said):
    with pytest.raises(UserError, match=said):
        attribute(name, linear(), X, BASELINE, **settings)
