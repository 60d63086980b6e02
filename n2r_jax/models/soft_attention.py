"""Where an extractor's scores are an attention over the units (A2R; Yu et al. 2021)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FAR_BELOW = -1e30


def soft_attention(
    scores: Float[Array, "b n"], units: Float[Array, "b n"], *, mask_pads: bool
) -> Float[Array, "b n"]:
    """softmax(scores) over the units alone, or over all n places with scores of 0 at the others.

    The latter is what UNIREX's release does: padding takes its share, which grows with it. A row
    without a unit gets weights of 0 where pads are masked.
    """
    seen = units > 0
    weights = jax.nn.softmax(jnp.where(seen, scores, FAR_BELOW if mask_pads else 0.0))
    return weights * seen if mask_pads else weights
