"""The edges and features of many graphs in flat arrays, beside their nodes in `EncodedTexts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Int64

from n2r_jax.data.batch import Graphs
from n2r_jax.data.padding import Chosen
from n2r_jax.data.records import Graph, Record, Source
from n2r_jax.errors import UserError

STEP = 16
"""Edges are padded to a multiple of this."""


@dataclasses.dataclass(frozen=True)
class EncodedGraphs:
    """N graphs back to back: the edges of graph i are [starts[i], starts[i + 1])."""

    senders: Int32[np.ndarray, " edges"]
    """Node numbers within their graph."""
    receivers: Int32[np.ndarray, " edges"]
    starts: Int64[np.ndarray, " n+1"]
    features: Float32[np.ndarray, "nodes f"] | None = None
    """Of all nodes, which stand back to back like the tokens of texts."""

    def batch(
        self,
        nodes: Int64[np.ndarray, " n+1"],
        indices: Sequence[int] | np.ndarray,
        rows: int,
        length: int,
    ) -> Graphs:
        """The chosen graphs padded to [rows, edges]. nodes: where those of each graph start."""
        budget = self.most_edges(nodes, length)
        chosen = Chosen(self.starts, indices, rows, budget)
        features = None
        if self.features is not None:
            features = Chosen(nodes, indices, rows, length).padded(self.features)
        ends = (chosen.padded(self.senders), chosen.padded(self.receivers))
        arrays: Any = (*ends, chosen.lengths, features)
        return Graphs(*arrays)

    def most_edges(self, nodes: Int64[np.ndarray, " n+1"], length: int) -> int:
        """Edges that any of the graphs of at most so many nodes has, rounded up.

        Of all graphs, not of a batch's: one shape for each length is all that is compiled.
        """
        fit = np.diff(nodes) <= length
        most = int(np.diff(self.starts)[fit].max(initial=1))
        return -(-most // STEP) * STEP


def encode_graphs(records: Source | Sequence[Record], features: int, name: str) -> EncodedGraphs:
    """Flatten the graphs of records; UserError where one has not `features` numbers a node."""
    graphs = [_graph_of(records[i], features, name) for i in range(len(records))]
    counts = [len(graph.edges) for graph in graphs]
    edges = np.array([edge for graph in graphs for edge in graph.edges], np.int32).reshape(-1, 2)
    numbers = None
    if features:
        rows = [own for graph in graphs for own in graph.features]
        numbers = np.array(rows, np.float32).reshape(-1, features)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return EncodedGraphs(edges[:, 0].copy(), edges[:, 1].copy(), starts, numbers)


def _graph_of(record: Record, features: int, name: str) -> Graph:
    graph = record.graph
    if graph is None:
        raise UserError(
            f"{name}, row {record.id!r} is a text, and config.model.name=gcn reads graphs; give "
            "rows with nodes and edges, or take another model"
        )
    own = len(graph.features[0]) if graph.features else 0
    if own != features:
        raise UserError(
            f"{name}, row {record.id!r} has {own} features a node, the first training graph has "
            f"{features}; give every node of all graphs as many"
        )
    return graph
