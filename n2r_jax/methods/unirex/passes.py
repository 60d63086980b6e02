"""The predictor on many masked copies of a batch, as few passes as memory allows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.data.batch import Batch
from n2r_jax.models.interface import Params, RationaleModel


def masked_logits(
    model: RationaleModel,
    params: Params,
    batch: Batch,
    masks: Float[Array, "m b t"],
    key: Array | None,
    at_once: int = 0,
) -> Float[Array, "m b c"]:
    """Logits of the batch under each of M masks.

    at_once: copies in one pass, the others follow one pass after another; 0: all of them. Every
    copy has dropout of its own, drawn by the text's place in the global batch.
    """
    copies = len(masks)
    if 0 < at_once < copies:
        parts = [masks[i : i + at_once] for i in range(0, copies, at_once)]
        keys = [None] * len(parts) if key is None else jax.random.split(key, len(parts))
        found = [
            masked_logits(model, params, batch, part, own)
            for part, own in zip(parts, keys, strict=True)
        ]
        return jnp.concatenate(found)
    rows = len(batch.length)
    together = jax.tree.map(lambda leaf: jnp.concatenate([leaf] * copies), batch)
    place = (batch.row[None] * copies + jnp.arange(copies)[:, None]).reshape(-1)
    flat = masks.reshape(copies * rows, -1)
    logits = model.predict(params, together._replace(row=place), flat, key).logits
    return logits.reshape(copies, rows, -1)
