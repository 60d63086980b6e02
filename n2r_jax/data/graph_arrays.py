"""Graphs of a NumPy file (.npz): a data set's arrays as rows. Never a pickle.

    edge_index  [2, edges]  nodes' numbers within their graph, both ways where undirected
    edge_ptr    [g + 1]     edges of graph i are edge_index[:, edge_ptr[i]:edge_ptr[i + 1]]
    label       [g]         integers or names
    node_ptr    [g + 1]     nodes of graph i; or node_feat or node_truth are [g, nodes, ...]
    atom, node_type         of each node; optional
    node_feat   [..., f]    numbers of each node; left out where all are the same
    node_truth              the gold rationale; none for graph i where n_explanations[i] is 0
    split, mol_id           0 train, 1 dev, 2 test; names of the graphs; optional

The nodes of each graph are put into an order of their own: in published files the explanation is
often at the end, and a tie between nodes that are alike would be broken by their places.
"""

from __future__ import annotations

import dataclasses
import functools
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from n2r_jax.errors import DataError

SPLITS = ("train", "dev", "test")
ATOMS = ("C", "N", "O", "S", "F", "P", "Cl", "Br", "Na", "Ca", "I", "B", "H", "*")
"""What the numbers of `atom` are."""
NEEDED = ("edge_index", "edge_ptr", "label")
MEND = "write the arrays that docs/graphs.md names, as plain numbers and strings"
DAMAGE = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError)


def read_rows(path: Path, split: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (from 1) and fields of each graph, of one split where the file has several.

    Raises DataError where an array is missing or does not fit the others.
    """
    arrays = _Arrays(path, _load(path))
    for index in range(arrays.graphs):
        if split is None or arrays.splits is None or arrays.splits[index] == split:
            yield index + 1, arrays.fields(index)


def splits_of(path: Path) -> list[str]:
    """The splits that a file says it holds, none where it does not say."""
    found = _Arrays(path, _load(path)).splits
    return [name for name in SPLITS if found is not None and name in found]


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"not a readable NumPy file ({reason})", file=path, mend=MEND) from None
    except (AttributeError, TypeError):  # a lone array has no files
        raise DataError("a single array, not an .npz", file=path, mend=MEND) from None


@dataclasses.dataclass(frozen=True)
class _Arrays:
    """The arrays of a file, checked against each other."""

    path: Path
    found: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        for name in NEEDED:
            self._demand(name in self.found, f"no array {name!r}")
        self._demand(self.found["label"].ndim == 1, "label is not one value a graph")
        edges = self.found["edge_index"]
        self._demand(edges.ndim == 2 and len(edges) == 2, "edge_index is not [2, edges]")
        self._check_starts("edge_ptr", edges.shape[1])
        self._check_starts("node_ptr", None)
        for name in ("atom", "node_type", "node_truth", "node_feat"):
            self._demand(self._fits(name), f"{name} is not of as many nodes as the graphs have")
        for name in ("split", "mol_id", "n_explanations"):
            found = self.found.get(name)
            self._demand(found is None or found.shape == (self.graphs,), f"{name} is not a graph's")
        own = set(self.found.get("split", np.zeros(0)).tolist())
        self._demand(own <= {0, 1, 2}, "split is not 0, 1 or 2")

    @property
    def graphs(self) -> int:
        """How many there are."""
        return len(self.found["label"])

    @functools.cached_property
    def nodes(self) -> Int[np.ndarray, " g+1"]:
        """Where the nodes of each graph start among all nodes."""
        if "node_ptr" in self.found:
            return self.found["node_ptr"].astype(np.int64)
        for name in ("node_feat", "node_truth", "adj"):
            if name in self.found and self.found[name].ndim >= 2:
                return np.arange(self.graphs + 1) * self.found[name].shape[1]
        raise DataError("no array 'node_ptr'", file=self.path, mend=MEND)

    @functools.cached_property
    def splits(self) -> list[str] | None:
        """The split of each graph, where the file says it."""
        if "split" not in self.found:
            return None
        return [SPLITS[number] for number in self.found["split"].tolist()]

    def fields(self, index: int) -> dict[str, Any]:
        """A graph as a row of a JSON file would have it."""
        start, end = self.nodes[index : index + 2]
        order = np.random.default_rng(index).permutation(end - start)
        edges = self.found["edge_index"][:, slice(*self.found["edge_ptr"][index : index + 2])]
        inside = edges.size == 0 or (edges.min() >= 0 and edges.max() < len(order))
        if inside:
            edges = np.argsort(order)[edges]
        fields: dict[str, Any] = {
            "label": self.found["label"][index].item(),
            "num_nodes": len(order),
            "edges": edges.T.tolist(),
            "directed": True,
            "node_numbers": order.tolist() if inside else None,
        }
        if self._names is not None:
            fields["id"] = self._names[index]
        if self._types is not None:
            fields["nodes"] = [str(name) for name in self._types[start:end][order]]
        if self._features is not None:
            fields["features"] = self._features[start:end][order].tolist()
        if "node_truth" in self.found and self._is_marked(index):
            fields["rationale"] = self._flat("node_truth")[start:end][order].astype(int).tolist()
        return fields

    def _is_marked(self, index: int) -> bool:
        counts = self.found.get("n_explanations")
        return counts is None or bool(counts[index])

    @functools.cached_property
    def _names(self) -> list[str] | None:
        """Names of the graphs; one that was there before (a molecule again) gets its number."""
        if "mol_id" not in self.found:
            return None
        names = [str(name) for name in self.found["mol_id"]]
        seen: set[str] = set()
        for index, name in enumerate(names):
            names[index] = f"{name} (graph {index + 1})" if name in seen else name
            seen.add(name)
        return names

    @functools.cached_property
    def _types(self) -> np.ndarray | None:
        if "atom" in self.found:
            atoms = self._flat("atom")
            self._demand(atoms.max(initial=0) < len(ATOMS), "atom holds an unknown number")
            return np.array(ATOMS)[atoms]
        return self._flat("node_type") if "node_type" in self.found else None

    @functools.cached_property
    def _features(self) -> np.ndarray | None:
        """Numbers of all nodes; None where they are all the same and say nothing."""
        if "node_feat" not in self.found:
            return None
        found = self.found["node_feat"]
        flat = found.reshape(-1, found.shape[-1]).astype(np.float32)
        return flat if np.ptp(flat, axis=0).any() else None

    def _flat(self, name: str) -> np.ndarray:
        return self.found[name].reshape(-1)

    def _fits(self, name: str) -> bool:
        if name not in self.found:
            return True
        found = self.found[name]
        count = found.size // max(found.shape[-1], 1) if name == "node_feat" else found.size
        return count == self.nodes[-1]

    def _check_starts(self, name: str, end: int | None) -> None:
        found = self.found.get(name)
        if found is None:
            return
        good = (
            found.shape == (self.graphs + 1,)
            and found[0] == 0
            and (np.diff(found.astype(np.int64)) >= 0).all()
        )
        self._demand(bool(good) and end in (None, int(found[-1])), f"{name} does not fit")

    def _demand(self, good: bool, problem: str) -> None:
        if not good:
            raise DataError(problem, file=self.path, mend=MEND)
