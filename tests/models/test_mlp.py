"""Heads of more than one layer: what their names say, and what they compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.models.mlp import Mlp, mlp_shape


@pytest.mark.parametrize(("name", "linears"), [("mlp-2048-2", 3), ("mlp-4096-3", 4)])
def test_a_name_says_width_and_hidden_layers(name, linears):
    shape = mlp_shape(name, "config.encoder.score_head", otherwise="linear")
    made = jax.eval_shape(
        lambda k: Mlp(shape, 768, 1).init(k, jnp.zeros((1, 768))), jax.random.key(0)
    )
    kernels = [own["kernel"].shape for own in made["params"].values()]
    assert len(kernels) == linears and kernels[0] == (768, shape.width)
    assert mlp_shape("linear", "config.encoder.score_head", otherwise="linear") is None


def test_it_is_linear_layers_with_relu_between_them():
    mlp, x = Mlp(mlp_shape("mlp-5-1", "head", otherwise="linear"), 3, 2), jnp.ones((4, 3)) * 2
    params = mlp.init(jax.random.key(1), x)["params"]
    first, second = (jax.tree.map(np.asarray, params[f"linear_{i}"]) for i in (0, 1))
    hidden = np.maximum(np.asarray(x) @ first["kernel"] + first["bias"], 0)
    found = mlp.apply({"params": params}, x)
    np.testing.assert_allclose(found, hidden @ second["kernel"] + second["bias"], atol=1e-6)
    assert all(np.abs(leaf).max() <= 3**-0.5 for leaf in jax.tree.leaves(first))


@pytest.mark.parametrize("name", ["mlp", "mlp-0-2", "mlp-2048", "mlp-2048-2-1", "Linear"])
def test_other_names_are_told(name):
    with pytest.raises(UserError, match="it must be linear, or like mlp-2048-2"):
        mlp_shape(name, "config.encoder.score_head", otherwise="linear")
