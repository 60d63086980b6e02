"""Records held in memory, as every reader of a user's own files hands them out."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from n2r_jax.data.records import Record


class MemorySource:
    """A `Source` over a list of records."""

    def __init__(self, records: Sequence[Record], label_names: Sequence[str]):
        """Keep `records`; their labels index `label_names`."""
        self._records = tuple(records)
        self._label_names = tuple(label_names)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels; a record's `label` is an index into them."""
        return self._label_names

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over label names and records, hashed on the first call only."""
        return fingerprint(self._label_names, self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)


def fingerprint(label_names: Sequence[str], records: Iterable[Record]) -> str:
    """A hex digest of label names and records in their order."""
    digest = hashlib.sha256(json.dumps(list(label_names)).encode())
    for record in records:
        row: list[Any] = [record.id, record.tokens, record.label, record.rationale]
        if record.second or record.choices:
            row += [record.second, record.choices]
        if record.graph is not None:
            row.append({"edges": record.graph.edges, "features": record.graph.features})
        digest.update(b"\n" + json.dumps(row, separators=(",", ":")).encode())
    return digest.hexdigest()
