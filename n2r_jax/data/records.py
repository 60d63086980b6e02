"""The one form in which every data source hands out its rows."""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One labelled text.

    `tokens` are the units a rationale selects from, never empty. `label` is an index into the
    source's `label_names`. `rationale` holds 0 or 1 for every token, or is None where no human
    marked this text (which is not the same as a text of which nothing was marked: all zeros).
    """

    id: str
    tokens: tuple[str, ...]
    label: int
    rationale: tuple[int, ...] | None = None


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
