"""The Pallas kernels, interpreted, against XLA's recurrence; and what of them a GPU would get."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.kernels import bigru, gru, pallas_gru, pallas_launch
from n2r_jax.kernels.bigru import bigru_max, bigru_states
from n2r_jax.kernels.gru import Wanted, Weights
from n2r_jax.kernels.pallas_launch import Launch

EVERYTHING = frozenset({"states", "reset", "update", "candidate", "hidden_part"})
ALL = Wanted(weights=True, mask=True, inputs=True)


def make(steps, features, units, batch, dtype=jnp.float32):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape, scale=0.5), dtype)

    shapes = ((3, units, features), (3, units, units), (3, units), (3, units))
    lengths = rng.integers(0, steps + 1, batch)
    valid = jnp.asarray(np.arange(steps)[:, None] < lengths, dtype)
    mask = jnp.asarray(rng.random((steps, batch)) < 0.5, dtype) * valid
    weights = Weights(*(draw(*shape) for shape in shapes))
    return weights, draw(steps, features, batch), mask, valid, draw(steps, units, batch)


def both_ways(kernel, case, reverse, wanted):
    """Everything that a direction gives: its states and maximum, and the walk back from each."""
    weights, inputs, mask, valid, cotangent = case
    tape, peak = kernel.run(
        weights, inputs, mask, valid, reverse=reverse, tape=EVERYTHING, pool=valid
    )
    gradients = [
        kernel.walk_back(
            weights, inputs, mask, valid, tape, arriving, reverse=reverse, wanted=wanted
        )
        for arriving in (cotangent, peak._replace(value=cotangent[0]))
    ]
    return tape.states, peak, gradients


both_ways = jax.jit(both_ways, static_argnums=(0, 2, 3))


def close(got, expected, tolerance=1e-5):
    def compare(a, b):
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=2 * tolerance)

    jax.tree.map(compare, got, expected)


@pytest.fixture
def compiled(monkeypatch):
    """Kernels as a GPU would get them, and no other code: nothing of this runs here."""
    monkeypatch.setattr(pallas_launch, "interpreted", lambda: False)
    monkeypatch.setattr(pallas_launch, "fits", lambda *_: True)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (9, 13, 11, 33), (6, 40, 20, 70), (13, 17, 33, 16)]
)
def test_equals_xla_at_any_size(sizes, reverse):
    case = make(*sizes)
    found = [both_ways(kernel, case, reverse, ALL) for kernel in (pallas_gru, gru)]
    close(*found)
    np.testing.assert_array_equal(found[0][1].time, found[1][1].time)


def test_the_tile_changes_nothing(monkeypatch):
    case = make(5, 3, 18, 33)
    expected = both_ways(gru, case, True, ALL)
    monkeypatch.setattr(pallas_launch, "default", lambda _: Launch(texts=32))
    jax.clear_caches()
    close(both_ways(pallas_gru, case, True, ALL), expected)


def test_of_equal_states_the_earliest_is_the_highest():
    weights, inputs, *_ = make(6, 2, 3, 2)
    still = jax.tree.map(jnp.zeros_like, weights)
    ones = jnp.ones((6, 2))
    for reverse in (False, True):
        _, peak = pallas_gru.run(
            still, inputs, None, None, reverse=reverse, tape=frozenset(), pool=ones
        )
        np.testing.assert_array_equal(peak.time, 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_close_to_float32_in_bfloat16(reverse):
    found, expected = (
        both_ways(kernel, make(9, 13, 11, 5, dtype), reverse, ALL)
        for kernel, dtype in ((pallas_gru, jnp.bfloat16), (gru, jnp.float32))
    )
    assert found[0].dtype == found[1].value.dtype == jnp.bfloat16
    close(found[0], expected[0], 0.03)
    # Of almost equal states another may be the highest: only the gradients of all states compare.
    close(found[2][0], expected[2][0], 0.1)


def operations(wanted):
    """Shapes that the kernel of the walk back gives, and how many products follow it."""
    case = make(12, 5, 4, 3)

    def gradients(case):
        weights, inputs, mask, valid, cotangent = case
        tape = pallas_gru.Tape(cotangent, jnp.stack([cotangent] * 4, 1))
        return pallas_gru.walk_back(
            weights, inputs, mask, valid, tape, cotangent, reverse=False, wanted=wanted
        )

    given = [leaf is not None for leaf in gradients(case)]
    found = jax.make_jaxpr(gradients)(case).eqns
    (kernel,) = [e for e in found if e.primitive.name == "pallas_call"]
    products = sum(e.primitive.name == "dot_general" for e in found)
    return given, [v.aval.shape for v in kernel.outvars], products


def test_only_what_is_wanted_is_computed():
    assert operations(Wanted(True, False, False)) == ([True, False, False], [(4, 4, 12, 3)], 2)
    assert operations(Wanted(False, True, False)) == ([False, True, False], [(3, 4, 12, 3)], 1)
    assert operations(Wanted(False, True, True)) == ([False, True, True], [(3, 4, 12, 3)], 1)


@pytest.fixture
def two_directions():
    weights, inputs, mask, valid, _ = make(12, 5, 4, 3)
    return jax.tree.map(lambda w: jnp.stack([w, -w]), weights), inputs, mask, valid


def by_both(monkeypatch, function, *arguments):
    """The same function of bigru run on the Pallas kernels and on XLA's recurrence."""
    found = []
    for kernel in (pallas_gru, gru):
        monkeypatch.setattr(bigru, "_kernel", lambda _, kernel=kernel: kernel)
        jax.clear_caches()
        found.append(jax.jit(function)(*arguments))
    return found


def test_the_gradients_of_all_states_are_those_of_xla(two_directions, monkeypatch):
    weights, inputs, _, valid = two_directions

    def loss(weights, inputs):
        ahead, back = bigru_states(weights, inputs, valid)
        return jnp.sin(ahead).sum() + (jnp.cos(back) * ahead).sum()

    close(*by_both(monkeypatch, jax.value_and_grad(loss, (0, 1)), weights, inputs))


@pytest.mark.parametrize("wanted", [(2,), (0, 1, 2)])
def test_the_gradients_of_the_maximum_are_those_of_xla(two_directions, monkeypatch, wanted):
    *arguments, valid = two_directions

    def loss(*arguments):
        return jnp.sin(bigru_max(*arguments, valid, valid)).sum()

    close(*by_both(monkeypatch, jax.value_and_grad(loss, wanted), *arguments))


def test_vmaps_over_runs():
    weights, *rest = make(7, 3, 5, 2)
    several = jax.tree.map(lambda w: jnp.stack([w, 0.5 * w]), weights)

    def each(kernel):
        return jax.vmap(lambda weights: both_ways(kernel, (weights, *rest), False, ALL))(several)

    close(each(pallas_gru), each(gru))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("precision", list(pallas_launch.PRECISIONS))
def test_lowers_for_a_gpu_at_the_size_of_the_paper(compiled, monkeypatch, dtype, precision):
    monkeypatch.setenv("N2R_PALLAS_PRECISION", precision)
    case = jax.eval_shape(lambda: make(256, 100, 100, 128, dtype))
    traced = jax.jit(lambda case: both_ways(pallas_gru, case, True, ALL)).trace(case)
    try:
        program = traced.lower(lowering_platforms=("cuda",)).as_text()
    except ImportError as error:
        pytest.skip(f"no lowering to Triton in this jaxlib: {error}")
    assert program.count("stablehlo.custom_call @__gpu$xla.gpu.triton") == 3


def test_a_gpu_gets_the_kernels_where_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setenv("N2R_PALLAS", "1")
    assert bigru._kernel(jnp.zeros((1, 1, 1))) is pallas_gru
    assert bigru._kernel(jnp.zeros((1, 1, 1), jnp.bfloat16)) is pallas_gru
    assert bigru._kernel(jnp.zeros((1, 1, 1), jnp.float16)) is gru
    monkeypatch.delenv("N2R_PALLAS")
    assert bigru._kernel(jnp.zeros((1, 1, 1))) is gru


def test_too_many_units_for_shared_memory_go_to_xla(monkeypatch):
    def fits(shared, units, dtype):
        device = types.SimpleNamespace(**shared)
        monkeypatch.setattr(jax, "devices", lambda: [device])
        return pallas_launch.fits(units, dtype, pallas_launch.default(dtype))

    monkeypatch.setattr(pallas_launch, "interpreted", lambda: False)
    h100 = {"shared_memory_per_block_optin": 227 * 1024}
    a100 = {"shared_memory_per_block_optin": 163 * 1024}
    assert fits(h100, 128, jnp.float32)
    assert not fits(h100, 129, jnp.float32)
    assert not fits(a100, 100, jnp.float32)
    assert fits(a100, 100, jnp.bfloat16)
    assert fits({}, 16, jnp.float32)
    assert not fits({}, 100, jnp.bfloat16)
    monkeypatch.setattr(pallas_launch, "fits", lambda *_: False)
    case = make(3, 2, 4, 2)
    found, expected = (both_ways(kernel, case, False, ALL) for kernel in (pallas_gru, gru))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
