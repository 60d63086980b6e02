"""Attention without derivative rules of its own, so that any number of derivatives can be taken."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.kernels.attention import Heads


def attend_plainly(
    queries: Heads,
    keys: Heads,
    values: Heads,
    weight: Float[Array, "b p"],
    window: int | None = None,
) -> Heads:
    """`weighted_attention` by XLA's code on every device, without dropout.

    Weights of 0 get no gradient here.
    """
    seen = weight > 0
    logarithm = jnp.log(jnp.where(seen, weight, 1.0)).astype(queries.dtype)
    return jax.nn.dot_product_attention(
        queries,
        keys,
        values,
        bias=logarithm[:, None, None, :],
        mask=seen[:, None, None, :],
        local_window_size=window,
        implementation="xla",
    )
