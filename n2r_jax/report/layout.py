"""Where to draw the nodes of a graph: places whose distances are like those along its edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from n2r_jax.data.records import Edge

ROUNDS = 60
MOST_NODES = 300
"""Larger graphs are drawn on a circle: distances of all pairs would take too long."""


def layout(nodes: int, edges: Sequence[Edge]) -> Float[np.ndarray, "n 2"]:
    """Places of one node or more in a square from 0 to 1, the same at every call.

    They minimise the stress sum (|x_i - x_j| / d_ij - 1)^2 over pairs, d the number of edges
    between two nodes, by majorisation (Gansner, Koren and North 2005), from a circle.
    """
    angle = 2 * np.pi * np.arange(nodes) / nodes
    places = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if 2 < nodes <= MOST_NODES:
        places = _less_stress(places * np.sqrt(nodes), _distances(nodes, edges))
    scaled = (places - places.min(0)) / max(np.ptp(places, axis=0).max(), 1e-9)
    return scaled + (1 - scaled.max(0)) / 2


def _distances(nodes: int, edges: Sequence[Edge]) -> Float[np.ndarray, "n n"]:
    """Edges on the shortest way between two nodes; parts that are not joined stand apart."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    ends = np.array(edges, np.int64).reshape(-1, 2)
    ends = ends[ends[:, 0] != ends[:, 1]]
    joined = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))
    found = shortest_path(joined, directed=False, unweighted=True)
    reached = found[np.isfinite(found)].max(initial=1)
    return np.where(np.isfinite(found), found, reached + 1)


def _less_stress(
    places: Float[np.ndarray, "n 2"], distances: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "n 2"]:
    apart = np.where(distances > 0, distances, 1.0)
    weights = np.where(distances > 0, apart**-2, 0.0)
    pull = np.diag(weights.sum(1)) - weights
    solve = np.linalg.pinv(pull)
    for _ in range(ROUNDS):
        between = np.linalg.norm(places[:, None] - places[None], axis=-1)
        ratio = weights * distances / np.maximum(between, 1e-9)
        push = np.diag(ratio.sum(1)) - ratio
        places = solve @ (push @ places)
    return places
