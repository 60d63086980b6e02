# ruff: noqa: UP037 (jaxtyping writes shapes as strings)
"""What transformer layers of every family are made of: parameters as flax modules, and dropout.

Parameters are float32. A layer computes in the type of `EncoderOptions.dtype`, LayerNorm's moments
always in float32. Dropout is drawn by key, row and position (kernels/dropout.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.errors import UserError
from n2r_jax.kernels.dropout import dropout
from n2r_jax.kernels.layer_norm import add_norm
from n2r_jax.kernels.product import product
from n2r_jax.models.encoders.interface import Path, Place

Activation = Callable[[Array], Array]

INITIAL_SPREAD = 0.02
"""Standard deviation of fresh weights where config.json names none (BERT's)."""


def gelu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Exactly x Phi(x), Phi the normal distribution's function (Hendrycks and Gimpel 2016).

    By erf: jax.nn.gelu's erfc costs more, and its accuracy far below zero is lost in x Phi(x).
    """
    half = jnp.asarray(0.5, x.dtype)
    return half * x * (1 + jax.lax.erf(x * jnp.asarray(0.5**0.5, x.dtype)))


def gelu_tanh(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The approximation of `gelu` by tanh that GPT-2, BigBird and ModernBERT were trained with."""
    return jax.nn.gelu(x, approximate=True)


ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": gelu,
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
}


def activation(name: str) -> Activation:
    """The function that config.json calls `name`; UserError lists the known ones.

    Its argument alone is stored for the backward pass: erf costs less than its memory.
    """
    if name not in ACTIVATIONS:
        raise UserError(
            f"config.json: no activation is called {name!r}; known are {', '.join(ACTIVATIONS)}"
        )
    return jax.checkpoint(ACTIVATIONS[name])


def required(config: Mapping[str, Any], name: str) -> Any:
    """config[name], or a UserError that says which setting is missing."""
    if name not in config:
        raise UserError(f"config.json: {name!r} is missing; take the whole file from the model hub")
    return config[name]


class Dense(nn.Module):
    """A linear layer x W + c: kernel [inputs, outputs], computed in `dtype`."""

    inputs: int
    outputs: int
    dtype: str = "float32"
    use_bias: bool = True
    spread: float = INITIAL_SPREAD

    @nn.compact
    def __call__(self, x: Float[Array, "*n i"]) -> Float[Array, "*n o"]:
        """The layer's outputs."""
        init = nn.initializers.normal(self.spread)
        kernel = self.param("kernel", init, (self.inputs, self.outputs), jnp.float32)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.outputs,), jnp.float32)
            bias = bias.astype(self.dtype)
        # Of [b, p, i] instead of [m, i] XLA's CPU backend would copy a transpose.
        rows = x.astype(self.dtype).reshape(-1, self.inputs)
        y = product(rows, kernel.astype(self.dtype), bias)
        return y.reshape(*x.shape[:-1], self.outputs)


class LayerNorm(nn.Module):
    """LayerNorm over the last axis, in float32; the result is of type `dtype` (Ba et al. 2016)."""

    features: int
    epsilon: float
    dtype: str = "float32"
    use_bias: bool = True

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "*n h"],
        added: Float[Array, "*n h"] | None = None,
        row: Int[Array, " b"] | None = None,
        key: Array | None = None,
        rate: float = 0.0,
    ) -> Float[Array, "*n h"]:
        """(z - mean) / sqrt(variance + epsilon) * scale + bias with z = x + drop(added)."""
        scale = self.param("scale", nn.initializers.ones, (self.features,), jnp.float32)
        bias = jnp.zeros(self.features)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        row = jnp.zeros(x.shape[0], jnp.int32) if row is None else row
        y = add_norm(x, added, scale, bias, self.epsilon, key, row, rate)
        return y.astype(self.dtype)


def drop(
    x: Float[Array, "b p h"], key: Array | None, row: Int[Array, " b"], rate: float
) -> Float[Array, "b p h"]:
    """Dropout of pieces' states; the identity without a key."""
    return dropout(x, key, row, rate, layout="btf")


def split_key(key: Array | None, count: int) -> Sequence[Array | None]:
    """`count` keys from one; of no key as many times none."""
    return [None] * count if key is None else list(jax.random.split(key, count))


def dense_places(name: str, path: Path, *, bias: bool = True) -> dict[str, Place]:
    """Where the tensors of PyTorch's linear layer `name` go: a Dense at `path`."""
    places = {f"{name}.weight": Place((*path, "kernel"), transposed=True)}
    return places | ({f"{name}.bias": Place((*path, "bias"))} if bias else {})


def norm_places(name: str, path: Path, *, bias: bool = True) -> dict[str, Place]:
    """Where the tensors of PyTorch's LayerNorm `name` go: a LayerNorm at `path`."""
    places = {f"{name}.weight": Place((*path, "scale"))}
    return places | ({f"{name}.bias": Place((*path, "bias"))} if bias else {})
