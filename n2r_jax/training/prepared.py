"""Inference on a split: what depends on its words alone is made once, not at every token."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.models.interface import Params, RationaleModel
from n2r_jax.training import parallel

TOKENS_PER_WORD = 5
"""From here on words are worth it: making one takes as long as it spares at three tokens."""
FEWEST_TOKENS = 2**16
"""From here on texts are worth the programs that are compiled for their words: 0.2 s, once."""
MOST_WORDS = 50_000
"""Up to here a whole vocabulary is prepared for a server."""


def own_words(
    model: RationaleModel, texts: EncodedTexts
) -> tuple[Int32[np.ndarray, " w"] | None, EncodedTexts]:
    """The words to `prepare` a model for, and the texts in ids of these.

    None, and the texts as they are, where the model or so few tokens gain nothing. Words are filled
    up with 0 to one of four sizes an octave, so that few shapes are compiled.
    """
    if model.prepare is None:
        return None, texts
    words, own = texts.with_own_words()
    step = max(64, 1 << max(0, len(words).bit_length() - 3))
    rows = -(-len(words) // step) * step
    if len(texts.ids) < max(FEWEST_TOKENS, TOKENS_PER_WORD * rows):
        return None, texts
    return np.pad(words, (0, rows - len(words))), own


def prepare_vocabulary(model: RationaleModel, params: Params, words: int) -> Params:
    """Parameters for texts in their own ids, of so many words; `params` where nothing is gained.

    A pass takes 40 % less. Larger vocabularies stay as they are: each word takes 5 kB with 2 x 100
    units.
    """
    if not 0 < words <= MOST_WORDS:
        return params
    return parallel.replicate(prepare(model, params, np.arange(words, dtype=np.int32)))


def prepare(model: RationaleModel, params: Params, words: Int32[np.ndarray, " w"] | None) -> Params:
    """Parameters for texts in ids of `own_words`; `params` themselves where there are none."""
    if words is None or model.prepare is None:
        return params
    made = model.prepare(parallel.first_copy(params), jnp.asarray(words))
    # As host arrays every CPU device reads them where they are: nothing is copied.
    return params | jax.tree.map(np.asarray, made)
