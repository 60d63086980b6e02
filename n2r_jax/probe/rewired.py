"""Graphs that are other graphs outside some nodes: other types, other features, other edges."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool

from n2r_jax.data.encoded_graphs import EncodedGraphs
from n2r_jax.data.encoding import EncodedTexts


def rewired(
    texts: EncodedTexts,
    graphs: EncodedGraphs,
    keep: Bool[np.ndarray, "n t"],
    rng: np.random.Generator,
) -> EncodedGraphs:
    """Return the graphs with every edge that touches a node outside `keep` led elsewhere.

    One end stays outside, the other becomes any node of the graph, one way or the other; the nodes
    outside get the features of nodes drawn from the whole set. Edges between kept nodes stay.
    """
    rows = np.repeat(np.arange(len(texts)), np.diff(graphs.starts))
    senders, receivers = graphs.senders, graphs.receivers
    sender_out, receiver_out = ~keep[rows, senders], ~keep[rows, receivers]
    moves = sender_out | receiver_out
    stays = np.where(sender_out, senders, receivers)
    drawn = (rng.random(len(rows)) * texts.lengths[rows]).astype(np.int32)
    turned = rng.random(len(rows)) < 0.5
    ends = np.where(turned, [drawn, stays], [stays, drawn])
    changed = np.where(moves, ends, [senders, receivers]).astype(np.int32)
    features = graphs.features
    if features is not None and len(features):
        nodes = np.arange(keep.shape[1]) < texts.lengths[:, None]
        other = features[rng.integers(0, len(features), len(features))]
        features = np.where(keep[nodes][:, None], features, other)
    return dataclasses.replace(graphs, senders=changed[0], receivers=changed[1], features=features)
