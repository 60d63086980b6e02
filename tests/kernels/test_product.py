"""The product of a linear layer by BLAS: the same as the plain one, values and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax import runtime
from n2r_jax.kernels import blas, native
from n2r_jax.kernels.product import product

by_blas = pytest.mark.skipif(not native.has_blas(), reason="no C++ compiler or no OpenBLAS here")
# More rows than outputs and fewer, more inputs than outputs, nothing a multiple of anything.
SIZES = pytest.mark.parametrize(("rows", "inputs", "outputs"), [(130, 40, 77), (33, 90, 50)])


def made(rows=130, inputs=40, outputs=77):
    rng = np.random.default_rng(0)
    sizes = ((rows, inputs), (inputs, outputs), (outputs,))
    return tuple(jnp.asarray(rng.normal(size=size), jnp.float32) for size in sizes)


def formula(x, kernel, bias):
    y = jnp.matmul(x, kernel, precision="highest")
    return y if bias is None else y + bias[None]


def with_gradients(function, *arrays):
    @jax.jit
    def run(*arrays):
        out, pull = jax.vjp(function, *arrays)
        return out, pull(jnp.cos(out))

    return run(*arrays)


def assert_close(found, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-4), found, expected
    )


def calls_blas(function, *arrays):
    fresh = jax.jit(lambda *a: function(*a))  # of what has been traced before nothing is kept
    return "n2r_product" in fresh.lower(*arrays).as_text()


@SIZES
@pytest.mark.parametrize("way", ["blas", "xla"])
@pytest.mark.parametrize("biased", [True, False])
def test_values_and_gradients_are_the_formulas(monkeypatch, rows, inputs, outputs, way, biased):
    if way == "xla":
        monkeypatch.setattr(native, "has_blas", lambda: False)
    elif not native.has_blas():
        pytest.skip("no C++ compiler or no OpenBLAS here")
    x, kernel, bias = made(rows, inputs, outputs)
    given = (x, kernel, bias) if biased else (x, kernel, None)
    assert calls_blas(product, *given) == (way == "blas")
    assert_close(with_gradients(product, *given), with_gradients(formula, *given))


@by_blas
def test_threads_share_a_product(monkeypatch):
    arrays = made()
    expected = with_gradients(formula, *arrays)
    monkeypatch.setattr(runtime, "cores", lambda: 64)
    assert native.threads() > 1
    assert_close(with_gradients(product, *arrays), expected)


@by_blas
def test_second_derivatives_are_the_formulas():
    x, kernel, bias = made()

    def curvature(function):
        def slope(x):
            return jax.grad(lambda x: (function(x, kernel, bias) ** 3).sum())(x)

        return jax.jvp(slope, (x,), (x[::-1],))[1], jax.grad(lambda x: (slope(x) ** 2).sum())(x)

    for one, other in zip(curvature(product), curvature(formula), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


@by_blas
def test_members_of_a_batch_are_multiplied_one_by_one():
    x, kernel, bias = made()
    several = jnp.stack([x, 2 * x, x - 1])
    found = jax.vmap(product, (0, None, None))(several, kernel, bias)
    assert_close(found, jax.vmap(formula, (0, None, None))(several, kernel, bias))


@by_blas
def test_small_products_and_other_types_stay_with_xla():
    assert not calls_blas(product, *made(outputs=2))
    assert not calls_blas(product, *(a.astype(jnp.bfloat16) for a in made()))


def test_a_blas_whose_threads_nobody_knows_is_not_used(monkeypatch):
    monkeypatch.setattr(blas, "THREADS", ())
    assert blas.sgemm.__wrapped__() is None
