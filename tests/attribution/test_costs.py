"""What attributions cost: as many gradients as there are nodes, and little besides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.attribution import integrated_gradients
from n2r_jax.attribution.of_model import class_logit
from tests.models import test_transformer_text

CHOSEN = jnp.array([0, 1, 1, 0])


def flops(function, *arrays):
    return jax.jit(function).lower(*arrays).compile().cost_analysis()["flops"]


def test_integrated_gradients_cost_no_more_than_their_gradients(monkeypatch):
    # XLA counts neither the work of compiled functions nor more than one turn of a loop.
    monkeypatch.setattr("n2r_jax.kernels.native.suits", lambda array: False)
    model, batch = test_transformer_text.text_model(), test_transformer_text.batch_of()
    params, steps = model.init(jax.random.key(0), batch), 4
    x, baseline = (
        get(params, batch) for get in (model.from_vectors.vectors, model.from_vectors.baseline)
    )

    def target_of(params):
        return class_logit(model, params, batch, batch.valid, CHOSEN)

    def one(params, x):
        return jax.grad(lambda x: target_of(params)(x).sum())(x)

    def all_of_them(params, x):
        return integrated_gradients(target_of(params), x, baseline, steps=steps, chunk=steps)

    assert flops(all_of_them, params, x) <= 1.1 * steps * flops(one, params, x)


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_every_node_is_gone_back_from_once_and_a_chunk_at_a_time(chunk):
    """Counted where the gradient is made; a node too many, or twice, would be found."""
    sizes = []

    def count(values):
        sizes.append(len(values))
        return values

    @jax.custom_vjp
    def counted(v):
        return v

    def back(_, cotangent):
        like = jax.ShapeDtypeStruct(cotangent.shape, cotangent.dtype)
        return (jax.pure_callback(count, like, cotangent, vmap_method="expand_dims"),)

    counted.defvjp(lambda v: (v, None), back)

    def target(v):
        return jnp.sin(counted(v)).sum((1, 2))

    x = jnp.ones((1, 2, 2))
    found = jax.jit(lambda x: integrated_gradients(target, x, x * 0, steps=7, chunk=chunk))(x)
    np.testing.assert_allclose(found, np.full((1, 2, 2), np.sin(1.0)), atol=1e-5)
    assert sum(sizes) == 7 and max(sizes) <= chunk
