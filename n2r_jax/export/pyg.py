"""Explained graphs as arrays that PyTorch Geometric's `Explanation` takes, in one .npz.

All graphs stand back to back as in PyG's `Batch`: edge_index numbers the nodes of the whole file.

    edge_index [2, E]   ptr [G + 1], batch [N]: graph g has the nodes ptr[g] to ptr[g + 1]
    node_mask [N, 1]    1 where selected; node_scores [N, 1]: probability of that
    edge_mask [E]       1 where both ends are selected; edge_ptr [G + 1]
    y, pred [G]         numbers of the true (-1: not known) and the predicted label
    node_gold [N, 1]    marks of a human, in the graphs where has_gold [G]
    x [N, F]            features, if there are any; node_type [N]: types, as text
    node_number [N]     what number a node has in the file it was read from
    id [G], label_names
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from n2r_jax.data.records import Graph
from n2r_jax.export.predicted import Predicted
from n2r_jax.export.target import Target, write_arrays


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the file; what the user has to know."""
    write_arrays(target, arrays(list(rows), target.labels))
    return ["docs/graphs.md has the lines that make an Explanation of each graph"]


def arrays(rows: Sequence[Predicted], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the arrays by name."""
    graphs = [graph_of(row) for row in rows]
    sizes = [len(row.given.tokens) for row in rows]
    ptr, edge_ptr = starts(sizes), starts([len(graph.edges) for graph in graphs])
    edges = [_pairs(graph) + start for graph, start in zip(graphs, ptr, strict=False)]
    edge_index = np.concatenate([*edges, np.zeros((0, 2), np.int64)]).T
    mask = _nodes([row.mask for row in rows], np.float32)
    gold = [row.given.rationale or (0,) * size for row, size in zip(rows, sizes, strict=True)]
    numbers = [g.numbers or range(size) for g, size in zip(graphs, sizes, strict=True)]
    found = {
        "edge_index": edge_index,
        "ptr": ptr,
        "batch": np.repeat(np.arange(len(rows)), sizes),
        "edge_ptr": edge_ptr,
        "node_mask": mask[:, None],
        "node_scores": _nodes([row.scores for row in rows], np.float32)[:, None],
        "edge_mask": mask[edge_index[0]] * mask[edge_index[1]],
        "y": label_numbers([row.given.label for row in rows], labels),
        "pred": label_numbers([row.label for row in rows], labels),
        "node_gold": _nodes(gold, np.float32)[:, None],
        "has_gold": np.array([row.given.rationale is not None for row in rows], bool),
        "node_type": np.array([token for row in rows for token in row.given.tokens], str),
        "node_number": _nodes(numbers, np.int64),
        "id": np.array([row.given.id for row in rows], str),
        "label_names": np.array(labels, str),
    }
    features = [own for graph in graphs for own in graph.features]
    return found | ({"x": np.array(features, np.float32)} if features else {})


def graph_of(row: Predicted) -> Graph:
    """The graph of a row, which is one."""
    assert row.given.graph is not None
    return row.given.graph


def starts(sizes: Sequence[int]) -> np.ndarray:
    """Where each of some things starts that stand back to back, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def label_numbers(names: Sequence[str | None], labels: Sequence[str]) -> np.ndarray:
    """Places among the labels, -1 where a label is not known."""
    places = {label: place for place, label in enumerate(labels)}
    return np.array([-1 if name is None else places[name] for name in names], np.int64)


def _pairs(graph: Graph) -> np.ndarray:
    return np.array(graph.edges, np.int64).reshape(-1, 2)


def _nodes(values: Sequence[Any], kind: type) -> np.ndarray:
    """Values of all nodes, back to back."""
    return np.array([value for own in values for value in own], kind)
