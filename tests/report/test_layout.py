"""Where nodes are drawn: inside the picture, apart, and joined ones near each other."""

import numpy as np
import pytest

from n2r_jax.report.layout import MOST_NODES, layout

RING = [(node, (node + 1) % 6) for node in range(6)]


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        (1, []),
        (2, [(0, 1)]),
        (2, []),
        (6, RING),
        (7, [(0, 0), *RING]),  # one node stands alone, one edge goes nowhere
        (9, [(0, node) for node in range(1, 9)]),
        (12, [(a, b) for a in range(12) for b in range(a)]),
        (MOST_NODES + 1, []),
    ],
)
def test_nodes_stand_apart_inside_the_square(nodes, edges):
    places = layout(nodes, edges)
    assert places.shape == (nodes, 2)
    assert places.min() >= 0 and places.max() <= 1 + 1e-9
    between = np.linalg.norm(places[:, None] - places[None], axis=-1)
    assert between[~np.eye(nodes, dtype=bool)].min(initial=1) > 0.2 / nodes
    np.testing.assert_array_equal(places, layout(nodes, edges))


def test_joined_nodes_are_nearer_than_others():
    tree = [(node, (node - 1) // 2) for node in range(1, 15)]
    places = layout(15, tree)
    between = np.linalg.norm(places[:, None] - places[None], axis=-1)
    joined = np.zeros((15, 15), bool)
    joined[tuple(np.transpose(tree))] = True
    joined |= joined.T
    others = ~joined & ~np.eye(15, dtype=bool)
    assert between[joined].max() < between[others].mean()
