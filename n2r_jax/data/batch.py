"""A batch of padded texts, as the models see it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Pieces(NamedTuple):
    """B texts as a pretrained encoder reads them, padded to P pieces."""

    ids: Int[Array, "b p"]
    word: Int[Array, "b p"]
    """Word that a piece is part of; -1 for special pieces and padding."""
    segment: Int[Array, "b p"]
    length: Int[Array, " b"]
    """Real pieces of each text, special ones included."""

    @property
    def visible(self) -> Float[Array, "b p"]:
        """1 at the pieces of a text, 0 at its padding."""
        return _first(self.length, self.ids.shape[-1])


class Graphs(NamedTuple):
    """What joins the units of B graphs, padded to E edges: their nodes are a batch's tokens."""

    senders: Int[Array, "b e"]
    """Node numbers within their graph; 0 for padding."""
    receivers: Int[Array, "b e"]
    count: Int[Array, " b"]
    """Real edges of each graph."""
    features: Float[Array, "b t f"] | None = None
    """Numbers of each node, 0 for padding; None: nodes have but a type."""

    @property
    def real(self) -> Float[Array, "b e"]:
        """1 at the edges of a graph, 0 at its padding."""
        return _first(self.count, self.senders.shape[-1])


class Batch(NamedTuple):
    """B texts padded to T tokens. A row with weight 0 only fills the batch up and never counts."""

    tokens: Int[Array, "b t"]
    """Word ids, 0 for unknown words and for padding; where a model reads `pieces`, the place of
    each word's first piece."""
    length: Int[Array, " b"]
    """Real tokens of each text; 0 for a row that fills up."""
    label: Int[Array, " b"]
    weight: Float[Array, " b"]
    """1 for a text, 0 for a row that fills the batch up."""
    row: Int[Array, " b"]
    """Place of the text in the global batch: noise is drawn by it, so it is the same on any number
    of devices."""
    rationale: Int[Array, "b t"]
    """Gold rationale, 0 where there is none."""
    annotated: Float[Array, " b"]
    """1 where a human marked a rationale (which may be empty)."""
    pieces: Pieces | None = None
    """For models that read pieces of words."""
    graphs: Graphs | None = None
    """For models of graphs."""

    @property
    def valid(self) -> Float[Array, "b t"]:
        """1 at the tokens of a text, 0 at its padding."""
        return _first(self.length, self.tokens.shape[-1])

    def copies(self, count: int) -> Batch:
        """The batch so many times in a row; each copy draws noise of its own."""
        together: Batch = jax.tree.map(lambda leaf: jnp.concatenate([leaf] * count), self)
        row = self.row[None] * count + jnp.arange(count)[:, None]
        return together._replace(row=row.reshape(-1))


def _first(count: Int[Array, " b"], size: int) -> Float[Array, "b {size}"]:
    """1 at the first so many of `size` places, 0 behind them."""
    return (jnp.arange(size)[None, :] < count[:, None]).astype(jnp.float32)
