"""Rotary positions: queries and keys turned by angles that grow with the place (Su et al. 2021)."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.kernels.attention import Heads


def rotary_angles(pieces: int, depth: int, theta: float) -> Float[Array, "1 p 1 half"]:
    """Place times frequency theta^(-2i / depth), in radians, for i < depth / 2."""
    frequency = theta ** (-jnp.arange(0, depth, 2, dtype=jnp.float32) / depth)
    angle = jnp.arange(pieces, dtype=jnp.float32)[:, None] * frequency[None, :]
    return angle[None, :, None, :]


def rotate(x: Heads, angles: Float[Array, "1 p 1 half"]) -> Heads:
    """Turn each pair (x_i, x_{i + depth/2}) by its angle, in float32; the type of x is kept.

    Products of turned queries and keys depend on the distance of their places alone.
    """
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(x.dtype)
