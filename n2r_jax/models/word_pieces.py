"""Between words and their pieces: whose mask a piece has, and what a word makes of its pieces."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.data.batch import Batch, Pieces
from n2r_jax.models.pooling import max_by_segment

WordScore = Literal["first", "mean", "max"]
WORD_SCORES = get_args(WordScore)


def pieces_of(batch: Batch) -> Pieces:
    """The batch's pieces; ValueError where it was made of words only."""
    if batch.pieces is None:
        raise ValueError("the batch has words only; encode the texts with the model's tokeniser")
    return batch.pieces


def piece_mask(mask: Float[Array, "b t"], pieces: Pieces) -> Float[Array, "b p"]:
    """A piece's share of its word's mask: special pieces 1, padding 0."""
    of_word = jnp.take_along_axis(mask, jnp.maximum(pieces.word, 0), axis=1)
    return jnp.where(pieces.word < 0, 1.0, of_word) * pieces.visible


def sum_of_pieces(batch: Batch, of_piece: Float[Array, "b p"]) -> Float[Array, "b t"]:
    """What the values of each word's pieces add up to; special pieces belong to no word."""
    pieces, words = pieces_of(batch), batch.tokens.shape[1]
    word = jnp.where(pieces.word < 0, words, pieces.word)
    add = jax.vmap(lambda values, at: jnp.zeros(words + 1, values.dtype).at[at].add(values))
    return add(of_piece, word)[:, :words]


def word_scores(
    of_piece: Float[Array, "b p"], pieces: Pieces, first: Int[Array, "b t"], by: WordScore
) -> Float[Array, "b t"]:
    """Scores of words from those of their pieces; 0 or any piece's at a text's padding."""
    if by == "first":
        return jnp.take_along_axis(of_piece, first, axis=1)
    words = first.shape[1]
    real = (pieces.word >= 0) & (pieces.visible > 0)
    # What belongs to no word goes to one behind the last, which is cut off.
    word = jnp.where(real, pieces.word, words)
    if by == "mean":
        total = jax.vmap(lambda s, w: jnp.zeros(words + 1).at[w].add(s))
        count = total(jnp.ones_like(of_piece), word)
        return (total(of_piece, word) / jnp.maximum(count, 1))[:, :words]
    return max_by_segment(of_piece, word, words)


def compact(
    vectors: Float[Array, "b p e"], keep: Float[Array, "b p"], segments: Int[Array, "b p"]
) -> tuple[Float[Array, "b p e"], Float[Array, "b p"], Int[Array, "b p"]]:
    """Move the kept pieces to the front, in order; the places behind them are not visible."""
    kept = keep > 0
    order = jnp.argsort(~kept, axis=1, stable=True)
    moved = jnp.take_along_axis(vectors, order[..., None], axis=1)
    visible = jnp.take_along_axis(kept, order, axis=1).astype(keep.dtype)
    return moved, visible, jnp.take_along_axis(segments, order, axis=1)
