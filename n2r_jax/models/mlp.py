"""Heads of more than one layer: 'mlp-2048-2' has two hidden layers of 2048 (UNIREX, Table 1)."""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.errors import UserError


class Shape(NamedTuple):
    """Hidden layers, all of one width."""

    width: int
    layers: int


def mlp_shape(name: str, setting: str, *, otherwise: str) -> Shape | None:
    """What 'mlp-WIDTH-LAYERS' says; None for the name `otherwise`. UserError for anything else."""
    if name == otherwise:
        return None
    found = re.fullmatch(r"mlp-([1-9]\d*)-([1-9]\d*)", str(name))
    if not found:
        raise UserError(
            f"{setting} is {name!r}; it must be {otherwise}, or like mlp-2048-2 (width, layers)"
        )
    return Shape(*map(int, found.groups()))


class Mlp(nn.Module):
    """Linear layers with ReLU between them, PyTorch's default init, no dropout, no norm."""

    shape: Shape
    inputs: int
    outputs: int

    @nn.compact
    def __call__(self, x: Float[Array, "*n i"]) -> Float[Array, "*n o"]:
        """The last layer's raw outputs."""
        widths = [self.inputs, *[self.shape.width] * self.shape.layers, self.outputs]
        for layer, (before, after) in enumerate(itertools.pairwise(widths)):
            init = uniform(before**-0.5)
            linear = nn.Dense(after, kernel_init=init, bias_init=init, name=f"linear_{layer}")
            x = linear(jax.nn.relu(x) if layer else x)
        return x


def uniform(bound: float) -> Any:
    """Initial values from U(-bound, bound), as flax asks for them."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -bound, bound
    )
