"""How well selected units match the gold rationale, from per-input counts that merge.

Two families of scores must never share a column (DeYoung et al., 2020, use the second):
`corpus-micro` divides sums over all inputs, `instance-mean` averages each input's own score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64, Num, Shaped


@dataclasses.dataclass(frozen=True, eq=False)
class OverlapCounts:
    """Unit counts of every input: selected, gold, both at once, and real (not padding)."""

    selected: Int64[np.ndarray, " n"]
    gold: Int64[np.ndarray, " n"]
    true_positives: Int64[np.ndarray, " n"]
    length: Int64[np.ndarray, " n"]

    @classmethod
    def from_masks(
        cls,
        mask: Shaped[np.ndarray, "n t"],
        gold: Shaped[np.ndarray, "n t"],
        valid: Shaped[np.ndarray, "n t"],
    ) -> OverlapCounts:
        """Count the units of 0/1 (or bool) masks; whatever stands at padding is left out.

        Raises ValueError if the shapes differ or a value is neither 0 nor 1.
        """
        real = _as_bool(valid, "valid")
        selected, marked = _as_bool(mask, "mask") & real, _as_bool(gold, "gold") & real
        return cls(*(_per_row(units) for units in (selected, marked, selected & marked, real)))

    @classmethod
    def merge(cls, parts: Iterable[OverlapCounts]) -> OverlapCounts:
        """Return the counts of all inputs of all parts, in order."""
        tables = [part.table for part in parts]
        return cls(*np.concatenate([np.zeros((0, 4), np.int64), *tables]).T)

    def take(self, indices: Shaped[np.ndarray, " m"]) -> OverlapCounts:
        """Return the counts of some inputs, by index or by a boolean per input."""
        return OverlapCounts(*self.table[indices].T)

    @property
    def table(self) -> Int64[np.ndarray, "n 4"]:
        """Columns selected, gold, true positives, length: what a bootstrap resamples."""
        return np.stack([self.selected, self.gold, self.true_positives, self.length], axis=1)

    def __len__(self) -> int:
        return len(self.length)


class Prf(NamedTuple):
    """Precision, recall and F1: numbers, or arrays of one shape."""

    precision: Float[np.ndarray, " ..."]
    recall: Float[np.ndarray, " ..."]
    f1: Float[np.ndarray, " ..."]


def prf(
    selected: Num[np.ndarray, " ..."],
    gold: Num[np.ndarray, " ..."],
    true_positives: Num[np.ndarray, " ..."],
) -> Prf:
    """Return P = tp / selected, R = tp / gold, F1 = 2 tp / (selected + gold), elementwise.

    An undefined ratio (0 / 0) is 0, as in ERASER's scorer: an input of which nothing is selected,
    or nothing is gold, scores 0.
    """
    return Prf(
        precision=ratio(true_positives, selected),
        recall=ratio(true_positives, gold),
        f1=ratio(2 * np.asarray(true_positives), np.asarray(selected) + np.asarray(gold)),
    )


def ratio(
    numerator: Num[np.ndarray, " ..."], denominator: Num[np.ndarray, " ..."]
) -> Float[np.ndarray, " ..."]:
    """Return numerator / denominator, 0 where the denominator is 0."""
    denominator = np.asarray(denominator, np.float64)
    defined = denominator != 0
    return np.where(defined, np.asarray(numerator) / np.where(defined, denominator, 1), 0.0)


def micro(counts: OverlapCounts) -> Prf:
    """Return corpus-micro P, R, F1: `prf` of the sums (N2R's; ERASER's token instance_micro)."""
    return prf(counts.selected.sum(), counts.gold.sum(), counts.true_positives.sum())


def instance_mean(counts: OverlapCounts) -> Prf:
    """Return the means over inputs of each one's P, R, F1 (ERASER's token instance_macro).

    ERASER leaves out an input with neither gold nor selected units, and so do we; 0 of no input.
    """
    rows = prf(counts.selected, counts.gold, counts.true_positives)
    seen = counts.selected + counts.gold > 0
    return Prf(*(ratio(values[seen].sum(), seen.sum()) for values in rows))


def sparsity(counts: OverlapCounts) -> float:
    """Return S = selected units / real units, over all inputs (corpus-micro)."""
    return float(ratio(counts.selected.sum(), counts.length.sum()))


def gold_rate(counts: OverlapCounts) -> float:
    """Return g = gold units / real units, over all inputs (corpus-micro)."""
    return float(ratio(counts.gold.sum(), counts.length.sum()))


def iou(counts: OverlapCounts) -> Float[np.ndarray, " n"]:
    """Return every input's |selected and gold| / |selected or gold|, 0 if both are empty.

    This is the overlap of two sets of units, not ERASER's IoU-F1, which matches spans.
    """
    union = counts.selected + counts.gold - counts.true_positives
    return ratio(counts.true_positives, union)


def _as_bool(values: Shaped[np.ndarray, "n t"], name: str) -> Bool[np.ndarray, "n t"]:
    values = np.asarray(values)
    if values.ndim != 2 or not ((values == 0) | (values == 1)).all():
        raise ValueError(f"{name} {values.shape} must be [inputs, units] of 0 and 1")
    return values.astype(bool)


def _per_row(units: Bool[np.ndarray, "n t"]) -> Int64[np.ndarray, " n"]:
    return units.sum(axis=1, dtype=np.int64)
