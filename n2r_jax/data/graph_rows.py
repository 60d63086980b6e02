"""A row that is a graph: nodes, which a rationale selects from, and the edges between them.

`nodes` is a list of the nodes' types, or `num_nodes` their number where all are alike. `edges` is a
list of pairs [a, b] of node numbers from 0; they go both ways unless `directed` is true. `features`
may hold a list of numbers for every node, of the same length for all nodes of all graphs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from n2r_jax.data.problems import RowProblem
from n2r_jax.data.records import Edge, Graph

NODE = "node"
"""The type of every node where there are no types."""
FIELDS = ("nodes", "num_nodes", "edges", "features", "directed")
TEXT = ("tokens", "text")
"""A row with one of these is a text, whatever else it has."""
MOST_NODES = 10**6


def is_graph(fields: Mapping[str, Any]) -> bool:
    """Whether a row means to be a graph."""
    given = {name for name, value in fields.items() if value is not None}
    return not given.intersection(TEXT) and bool(given.intersection(FIELDS[:3]))


def parse_graph(fields: Mapping[str, Any]) -> tuple[tuple[str, ...], Graph]:
    """The nodes' types, and the graph; raises RowProblem."""
    nodes = _parse_nodes(fields)
    directed = fields.get("directed") or False
    if not isinstance(directed, bool):
        raise RowProblem(f"directed is {directed!r}", "write true or false")
    edges = _parse_edges(fields.get("edges"), len(nodes), directed=directed)
    features = _parse_features(fields.get("features"), len(nodes))
    return nodes, Graph(edges, features, tuple(fields.get("node_numbers") or ()))


def _parse_nodes(fields: Mapping[str, Any]) -> tuple[str, ...]:
    nodes, count = fields.get("nodes"), fields.get("num_nodes")
    if nodes is None:
        if type(count) is not int or not 0 <= count <= MOST_NODES:
            mend = "give every graph its 'nodes' (a list of types) or 'num_nodes' (an integer)"
            raise RowProblem("no nodes" if count is None else f"num_nodes is {count!r}", mend)
        nodes = (NODE,) * count
    if not isinstance(nodes, list | tuple):
        raise RowProblem("nodes are not a list", "write them as a list of types")
    if not nodes:
        raise RowProblem("a graph without a node", "remove the row or give it nodes")
    if count not in (None, len(nodes)):
        raise RowProblem(f"num_nodes is {count!r}, nodes are {len(nodes)}", "leave num_nodes out")
    return tuple(sys.intern(_parse_type(node, place)) for place, node in enumerate(nodes))


def _parse_type(node: object, place: int) -> str:
    shown = str(node) if type(node) is int else node
    if not isinstance(shown, str) or not shown or shown.isspace():
        raise RowProblem(f"node {place} is {node!r}", "write each node's type as a string")
    return shown


def _parse_edges(edges: object, nodes: int, *, directed: bool) -> tuple[Edge, ...]:
    """Each edge once, an undirected one each way, in order."""
    mend = "write edges as [[a, b], ...], [] for a graph without any"
    if not isinstance(edges, list | tuple):
        raise RowProblem("no edges" if edges is None else "edges are not a list", mend)
    found: set[Edge] = set()
    for place, edge in enumerate(edges):
        if not isinstance(edge, list | tuple) or len(edge) != 2:
            raise RowProblem(f"edge {place} is {edge!r}, not a pair", mend)
        one, other = edge
        if type(one) is not int or type(other) is not int:
            raise RowProblem(f"edge {place} is {edge!r}, not two integers", mend)
        if not (0 <= one < nodes and 0 <= other < nodes):
            problem = f"edge {place} [{one}, {other}] names a node that the graph has not"
            raise RowProblem(problem, f"it has {nodes} nodes; number them from 0")
        found.update(((one, other),) if directed else ((one, other), (other, one)))
    return tuple(sorted(found))


def _parse_features(features: object, nodes: int) -> tuple[tuple[float, ...], ...]:
    if features is None:
        return ()
    mend = "write a list of as many numbers for every node"
    if not isinstance(features, list | tuple):
        raise RowProblem("features are not a list", mend)
    if len(features) != nodes:
        raise RowProblem(f"features of {len(features)} nodes for {nodes} nodes", mend)
    found = tuple(_parse_numbers(own, place, mend) for place, own in enumerate(features))
    if len({len(own) for own in found}) > 1:
        raise RowProblem("features of different lengths", mend)
    return found if found[0] else ()


def _parse_numbers(own: Any, place: int, mend: str) -> tuple[float, ...]:
    if not isinstance(own, list | tuple) or not all(map(_is_number, own)):
        raise RowProblem(f"features of node {place} are not numbers", mend)
    return tuple(map(float, own))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def undirected(edges: Sequence[Edge]) -> list[Edge]:
    """Each pair of joined nodes once, the smaller number first, for people to look at."""
    return sorted({(min(edge), max(edge)) for edge in edges})
