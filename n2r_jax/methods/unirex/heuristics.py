"""Rationales that no model makes: a human's marks, all that they leave out, and chance.

UNIREX trains predictors on them for comparison (AA-F with Gold, Inv, Rand; Table 1).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax import masks
from n2r_jax.data.batch import Batch
from n2r_jax.methods.unirex.attributed import ScoreFn
from n2r_jax.methods.updates import Settings
from n2r_jax.models.interface import Params, RationaleModel


def gold_scores(model: RationaleModel, settings: Settings) -> ScoreFn:
    """1 at the marked units; of equal scores the first in the text is taken."""
    return lambda params, batch, chosen: batch.rationale.astype(jnp.float32)


def inverse_scores(model: RationaleModel, settings: Settings) -> ScoreFn:
    """1 at the units that are not marked."""
    return lambda params, batch, chosen: (1.0 - batch.rationale) * batch.valid


def random_scores(model: RationaleModel, settings: Settings) -> ScoreFn:
    """Noise that a text always gets the same of, in any batch and epoch."""

    def score(params: Params, batch: Batch, chosen: Int[Array, " b"]) -> Float[Array, "b t"]:
        of_text = masks.logistic_noise(jax.random.key(0), fingerprint(batch), batch.tokens.shape[1])
        return of_text * batch.valid

    return score


def fingerprint(batch: Batch) -> Int[Array, " b"]:
    """A number that depends on a text's ids and their order, not on its padding."""
    pieces = batch.pieces
    ids, seen = (batch.tokens, batch.valid) if pieces is None else (pieces.ids, pieces.visible)
    place = jnp.arange(1, ids.shape[1] + 1, dtype=jnp.uint32) * jnp.uint32(2246822519)
    # Odd multipliers keep all bits; the square mixes a place with what stands there.
    mixed = (ids.astype(jnp.uint32) + 1) * jnp.uint32(2654435761) ^ place[None]
    return jnp.where(seen > 0, mixed * mixed, 0).sum(1, dtype=jnp.uint32)
