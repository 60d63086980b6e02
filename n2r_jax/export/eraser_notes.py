"""What to know of an ERASER export, counted as its rows pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from n2r_jax.export.predicted import Faithfulness, Predicted


@dataclasses.dataclass
class Tally:
    """Counts and sums over the rows that were written."""

    rows: int = 0
    selecting: int = 0
    unmarked: int = 0
    """Rows without a human's rationale."""
    altered: int = 0
    """Tokens whose white space was replaced."""
    labels: set[str] = dataclasses.field(default_factory=set)
    predicted: set[str] = dataclasses.field(default_factory=set)
    moved: int = 0
    """Rows to which the predictor gives another label when it sees the whole text."""
    drops: dict[str, list[float]] = dataclasses.field(
        default_factory=lambda: {"rationale": [0.0, 0.0], "whole text": [0.0, 0.0]}
    )
    """Sums of comprehensiveness and sufficiency, by what the class was predicted from."""

    def add(self, row: Predicted) -> None:
        """Count a row."""
        self.rows += 1
        self.selecting += any(row.mask)
        self.unmarked += row.given.rationale is None
        self.labels |= {row.given.label} if row.given.label is not None else set()
        self.predicted.add(row.label)
        if row.faithfulness is None:
            return
        whole = row.faithfulness.whole
        other = max(whole, key=lambda label: whole[label])
        self.moved += other != row.label
        for anchor, label in (("rationale", row.label), ("whole text", other)):
            for place, drop in enumerate(_drops(row.faithfulness, label)):
                self.drops[anchor][place] += drop

    def notes(self) -> Iterator[str]:
        """One line for each thing to know."""
        for anchor, sums in self.drops.items():
            means = [total / max(self.rows, 1) for total in sums]
            yield (
                f"of the class predicted from the {anchor}: comprehensiveness {means[0]:.4f}, "
                f"sufficiency {means[1]:.4f}"
            )
        if self.moved:
            yield f"{self.moved} of {self.rows} rows get another label from the whole text"
        if not self.selecting:
            yield "no row selects any token: the official scorer gives no hard scores"
        if self.unmarked:
            yield (
                f"{self.unmarked} of {self.rows} rows have no human rationale: the scorer takes "
                "each token selected there as wrong"
            )
        for label in sorted(self.predicted - self.labels):
            yield f"{label!r} is predicted, but no row's label: the official scorer stops there"
        if self.altered:
            yield f'{self.altered} tokens hold white space, which is written as "_"'


def _drops(found: Faithfulness, label: str) -> tuple[float, float]:
    """p(label | text) minus that without the rationale, and minus that of it alone."""
    return found.whole[label] - found.without[label], found.whole[label] - found.only[label]
