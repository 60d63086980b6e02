"""The compiled recurrence against XLA's: sizes that fill no tile, and only the work asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.kernels import bigru, gru, native, native_gru
from n2r_jax.kernels.gru import Wanted, Weights

if not native.available():
    pytest.skip("no C++ compiler here", allow_module_level=True)

EVERYTHING = frozenset({"states", "reset", "update", "candidate", "hidden_part"})


def make(steps, features, units, batch, seed=0):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape, scale=0.5), jnp.float32)

    shapes = ((3, units, features), (3, units, units), (3, units), (3, units))
    lengths = rng.integers(0, steps + 1, batch)  # a tile ends with its longest text
    valid = jnp.asarray(np.arange(steps)[:, None] < lengths, jnp.float32)
    mask = jnp.asarray(rng.random((steps, batch)) < 0.5, jnp.float32) * valid
    weights = Weights(*(draw(*shape) for shape in shapes))
    return weights, draw(steps, features, batch), mask, valid, draw(steps, units, batch)


def close(got, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5), got, expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (7, 3, 5, 2), (9, 13, 11, 33), (6, 40, 20, 70), (13, 17, 33, 16)]
)
def test_equals_xla_at_any_size(sizes, reverse):
    weights, inputs, mask, valid, cotangent = make(*sizes)
    found = []
    wanted = Wanted(weights=True, mask=True, inputs=True)
    for kernel in (gru, native_gru):
        tape, peak = kernel.run(
            weights, inputs, mask, valid, reverse=reverse, tape=EVERYTHING, pool=valid
        )
        gradients = [
            kernel.walk_back(
                weights,
                inputs,
                mask,
                valid,
                tape,
                arriving,
                reverse=reverse,
                wanted=wanted,
            )
            for arriving in (cotangent, peak._replace(value=cotangent[0]))
        ]
        found.append((tape.states, peak.value, peak.time, gradients))
    close(found[1], found[0])


def test_of_equal_states_the_earliest_is_the_highest():
    weights, inputs, _, _, _ = make(6, 2, 3, 2)
    still = jax.tree.map(jnp.zeros_like, weights)
    ones = jnp.ones((6, 2))
    for reverse in (False, True):
        _, peak = native_gru.run(
            still, inputs, None, None, reverse=reverse, tape=frozenset(), pool=ones
        )
        np.testing.assert_array_equal(peak.time, 0)


def test_nothing_that_nobody_asks_for_is_computed():
    weights, inputs, mask, valid, _ = make(12, 5, 4, 3)
    both = jax.tree.map(lambda w: jnp.stack([w, w]), weights)

    def outputs(wanted):
        function = jax.grad(lambda *a: bigru.bigru_max(*a, valid, valid).sum(), wanted)
        calls = jax.make_jaxpr(function)(both, inputs, mask).eqns
        calls = [e for e in calls if e.params.get("target_name") == "n2r_gru_backward"]
        return [[v.aval.shape for v in call.outvars] for call in calls]

    nothing = (0,)
    assert outputs(0) == [[(3, 4, 5), (3, 4, 4), (3, 4), (3, 4), nothing, nothing]] * 2
    assert outputs(2) == [[nothing] * 4 + [(12, 3), nothing]] * 2
    assert outputs(1) == [[nothing] * 5 + [(12, 5, 3)]] * 2


def test_only_float32_goes_to_the_compiled_functions():
    assert bigru._kernel(jnp.zeros((1, 1, 1))) is native_gru
    assert bigru._kernel(jnp.zeros((1, 1, 1), jnp.bfloat16)) is gru


def test_float32_goes_to_xla_where_nothing_could_be_compiled(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    assert bigru._kernel(jnp.zeros((1, 1, 1))) is gru
