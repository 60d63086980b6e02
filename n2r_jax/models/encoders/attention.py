"""Attention over the visible pieces, by the fastest way that the case at hand allows.

    out_i = sum_j p_ij V_j      p_ij = v_j exp(s_ij) / sum_k v_k exp(s_ik)      s = Q K' / sqrt(d)

v is `visible`: 0 or 1 for padding, anything between for a rationale mask that is being learnt.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from n2r_jax.kernels.attention import Chosen, Heads, near, weighted_attention
from n2r_jax.models.encoders.interface import EncoderOptions
from n2r_jax.models.encoders.plain_attention import attend_plainly


def attend(
    queries: Heads,
    keys: Heads,
    values: Heads,
    visible: Float[Array, "b p"],
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    window: int | None = None,
) -> Heads:
    """What every piece draws from the visible ones; finite even where no piece is visible.

    window: a piece sees those at most so many places away. Invisible pieces' own results mean
    nothing. With options.soft_visibility gradients reach `visible`, otherwise visible > 0 decides.
    """
    rate = 0.0 if key is None else options.attention_dropout
    weight = (visible if options.soft_visibility else visible > 0).astype(jnp.float32)
    if options.twice:
        if rate:
            raise ValueError("attention that can be differentiated twice has no dropout; no key")
        return attend_plainly(queries, keys, values, weight, window)
    if not options.soft_visibility and rate == 0 and _suits_cudnn(queries):
        seen = (visible > 0)[:, None, None, :] & near(queries.shape[1], keys.shape[1], window)
        try:
            return jax.nn.dot_product_attention(
                queries, keys, values, mask=seen, implementation="cudnn"
            )
        except (NotImplementedError, RuntimeError, ValueError):
            pass  # this cuDNN cannot; XLA's code can
    seed = jnp.zeros(2, jnp.uint32) if key is None else jax.random.bits(key, (2,), jnp.uint32)
    chosen = Chosen(rate, window)
    return weighted_attention(queries, keys, values, weight, seed, row, chosen)


def _suits_cudnn(queries: Heads) -> bool:
    """Whether to try cuDNN's flash attention; decided when traced."""
    pieces, depth = queries.shape[1], queries.shape[3]
    half = queries.dtype in (jnp.bfloat16, jnp.float16)
    return jax.default_backend() == "gpu" and half and depth % 8 == 0 and pieces % 2 == 0
