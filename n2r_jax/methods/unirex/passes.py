"""The predictor on many masked copies of a batch, as few passes as memory allows."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.data.batch import Batch
from n2r_jax.models.encoders.layers import split_key
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
        parts = _parts(masks, at_once, key)
        return jnp.concatenate([masked_logits(model, params, batch, *part) for part in parts])
    rows = len(batch.length)
    flat = masks.reshape(copies * rows, -1)
    logits = model.predict(params, batch.copies(copies), flat, key).logits
    return logits.reshape(copies, rows, -1)


def divided_logits(
    model: RationaleModel,
    params: Params,
    batch: Batch,
    masks: Float[Array, "m b t"],
    key: Array | None,
    at_once: int = 0,
) -> Float[Array, "2 m b c"]:
    """Logits under each mask, and under its complement, of a batch that the model divides.

    at_once as in `masked_logits`: a mask and its complement are two.
    """
    assert model.predict_halves is not None
    size = max(1, at_once // 2) if at_once else len(masks)
    found = [model.predict_halves(params, batch, *part) for part in _parts(masks, size, key)]
    return jnp.concatenate(found, axis=1)


def _parts(
    masks: Float[Array, "m b t"], size: int, key: Array | None
) -> list[tuple[Float[Array, "part b t"], Array | None]]:
    """At most `size` masks at a time, each part with a key of its own."""
    parts = [masks[i : i + size] for i in range(0, len(masks), size)]
    return list(zip(parts, split_key(key, len(parts)), strict=True))
