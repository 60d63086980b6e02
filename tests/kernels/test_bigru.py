"""The hand-written passes, XLA's and the compiled ones, against the plain scan under autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.kernels import bigru, gru, native, native_gru
from n2r_jax.kernels.bigru import bigru_max, bigru_states
from n2r_jax.kernels.gru import LOWEST, Weights

T, E, H, B = 12, 5, 4, 3
LENGTHS = np.array([12, 7, 1])


@pytest.fixture(autouse=True, params=["xla", "native"])
def kernel(request, monkeypatch):
    """Every test runs on XLA's own code and on the compiled functions."""
    if request.param == "native" and not native.available():
        pytest.skip("no C++ compiler here")
    chosen = gru if request.param == "xla" else native_gru
    monkeypatch.setattr(bigru, "_kernel", lambda inputs: chosen)
    return request.param


def plain_direction(weights: Weights, inputs, valid, reverse: bool):
    """A GRU as the textbook has it: one scan, no tricks; [T, E, B] -> [T, H, B]."""

    def step(h, inputs_t):
        x, keep = inputs_t
        a = jnp.einsum("ghe,eb->ghb", weights.input, x) + weights.input_bias[:, :, None]
        c = jnp.einsum("ghk,kb->ghb", weights.hidden, h) + weights.hidden_bias[:, :, None]
        r, z = jax.nn.sigmoid(a[0] + c[0]), jax.nn.sigmoid(a[1] + c[1])
        n = jnp.tanh(a[2] + r * c[2])
        h = ((1 - z) * n + z * h) * keep[None]
        return h, h

    start = jnp.zeros((weights.hidden.shape[-1], inputs.shape[2]))
    return jax.lax.scan(step, start, (inputs, valid), reverse=reverse)[1]


def plain_states(weights, inputs, valid):
    return tuple(
        plain_direction(jax.tree.map(lambda a, d=d: a[d], weights), inputs, valid, bool(d))
        for d in (0, 1)
    )


def plain_max(weights, inputs, mask, valid, pool):
    states = jnp.concatenate(plain_states(weights, inputs * mask[:, None], valid), 1)
    where = jnp.where(pool[:, None] > 0, states, LOWEST).argmax(0)
    return jnp.take_along_axis(states, where[None], 0)[0]


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape, scale=0.6), jnp.float32)

    weights = Weights(draw(2, 3, H, E), draw(2, 3, H, H), draw(2, 3, H), draw(2, 3, H))
    valid = jnp.asarray(np.arange(T)[:, None] < LENGTHS, jnp.float32)
    mask = jnp.asarray(rng.random((T, B)) < 0.5, jnp.float32) * valid
    return weights, draw(T, E, B), mask, valid


def assert_close(got, expected, tolerance=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance), got, expected)


def test_states_and_their_gradients_are_those_of_the_plain_scan(case):
    weights, inputs, _, valid = case

    def loss(function):
        def total(weights, inputs):
            ahead, back = function(weights, inputs, valid)
            seen = valid[:, None]
            return (jnp.sin(ahead) * seen).sum() + (jnp.cos(back) * seen * ahead).sum()

        return total

    got = jax.jit(jax.value_and_grad(loss(bigru_states), (0, 1)))(weights, inputs)
    assert_close(got, jax.value_and_grad(loss(plain_states), (0, 1))(weights, inputs))


@pytest.mark.parametrize("wanted", [(0,), (2,), (0, 2), (1,), (1, 2), (0, 1, 2)])
def test_max_gives_the_plain_gradient_of_whatever_is_differentiated(case, wanted):
    weights, inputs, mask, valid = case

    def loss(function):
        return lambda *args: jnp.sin(function(*args, valid, valid)).sum()

    got = jax.jit(jax.value_and_grad(loss(bigru_max), wanted))(weights, inputs, mask)
    assert_close(got, jax.value_and_grad(loss(plain_max), wanted)(weights, inputs, mask))


def test_padding_never_changes_a_result(case):
    weights, inputs, mask, valid = case
    for row, length in enumerate(LENGTHS):
        alone = slice(0, int(length))
        one = slice(row, row + 1)
        args = (inputs[alone, :, one], mask[alone, one], valid[alone, one], valid[alone, one])
        together = bigru_max(weights, inputs, mask, valid, valid)[:, one]
        np.testing.assert_allclose(bigru_max(weights, *args), together, atol=1e-6)
        back = bigru_states(weights, inputs, valid)[1][alone, :, one]
        np.testing.assert_allclose(
            bigru_states(weights, args[0], args[2])[1], back, atol=1e-6, rtol=1e-6
        )


def test_an_unselected_input_gets_exactly_zero_gradient_and_never_matters(case):
    weights, inputs, mask, valid = case
    pooled = bigru_max(weights, inputs, mask, valid, valid)
    changed = jnp.where(mask[:, None] > 0, inputs, 7.0)
    np.testing.assert_array_equal(bigru_max(weights, changed, mask, valid, valid), pooled)
    gradient = jax.grad(lambda x: bigru_max(weights, x, mask, valid, valid).sum())(inputs)
    assert float(jnp.abs(jnp.where(mask[:, None] > 0, 0.0, gradient)).max()) == 0.0
    assert float(jnp.abs(gradient).max()) > 0


@pytest.mark.parametrize("kernel", ["xla"], indirect=True)
def test_only_what_is_differentiated_is_computed(case, kernel):
    weights, inputs, mask, valid = case

    def program(wanted):
        function = jax.grad(lambda *a: bigru_max(*a, valid, valid).sum(), wanted)
        return str(jax.make_jaxpr(function)(weights, inputs, mask))

    weight_sums, product_of_inputs = f"f32[{H},{E}]", f"f32[{E},{B}] = dot_general"
    assert weight_sums in program(0)
    assert product_of_inputs not in program(0)
    assert weight_sums not in program(2)
    assert product_of_inputs in program(2)


@pytest.mark.parametrize("kernel", ["xla"], indirect=True)
def test_runs_in_bfloat16(case, kernel):
    weights, inputs, mask, valid = (jax.tree.map(lambda a: a.astype(jnp.bfloat16), c) for c in case)
    pooled = bigru_max(weights, inputs, mask, valid, valid)
    assert pooled.dtype == jnp.bfloat16
    full = bigru_max(*case[:3], case[3], case[3])
    np.testing.assert_allclose(pooled.astype(jnp.float32), full, atol=0.05)
    gradient = jax.grad(lambda w: bigru_max(w, inputs, mask, valid, valid).sum())(weights)
    assert np.isfinite(np.asarray(gradient.hidden, np.float32)).all()


def test_vmaps_over_runs(case):
    weights, inputs, mask, valid = case
    several = jax.tree.map(lambda a: jnp.stack([a, -a]), weights)
    together = jax.vmap(lambda w: bigru_max(w, inputs, mask, valid, valid))(several)
    for run in range(2):
        alone = bigru_max(jax.tree.map(lambda a, r=run: a[r], several), inputs, mask, valid, valid)
        np.testing.assert_allclose(together[run], alone, atol=1e-6)
