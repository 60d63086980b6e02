"""The one form in which every data source hands out its rows."""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable

Edge = tuple[int, int]
"""Numbers of two nodes: a message goes from the first to the second."""


@dataclasses.dataclass(frozen=True, slots=True)
class Graph:
    """What makes the units of a record nodes of a graph."""

    edges: tuple[Edge, ...]
    """In order, none twice; one that goes both ways is two."""
    features: tuple[tuple[float, ...], ...] = ()
    """As many numbers for every node, or none at all."""
    numbers: tuple[int, ...] = ()
    """What number each node has in its file, where they were put into another order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One labelled text, a pair of texts, a question with answers to choose from, or a graph.

    `tokens` are the units a rationale selects from, never empty; of a pair those of both texts, of
    a graph the types of its nodes.
    `label` is an index into the source's `label_names`, of a question the right answer's place.
    `rationale` holds 0 or 1 for every token, or is None where no human marked this text (which is
    not the same as a text of which nothing was marked: all zeros).
    """

    id: str
    tokens: tuple[str, ...]
    label: int
    rationale: tuple[int, ...] | None = None
    second: int = 0
    """Where the second text of a pair begins among the tokens; 0: there is none."""
    choices: tuple[tuple[str, ...], ...] = ()
    """The tokens of each answer to choose from, if it is a question; they are in no rationale."""
    graph: Graph | None = None
    """Edges and features, if it is a graph."""


@runtime_checkable
class Source(Protocol):
    """A random-access sequence of records, all of one label set."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels; a record's `label` is an index into them."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hex digest of the content: equal data gives an equal fingerprint on any machine."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...
