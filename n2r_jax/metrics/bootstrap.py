"""Percentile bootstrap over documents (Efron, 1979): how far a score could move by chance.

A statistic is a function of sums over documents, so a resample is a weighting of one table:
`sums = weights @ table`, and thousands of resamples cost one small matrix product.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int64, Num

Statistic = Callable[[Float[np.ndarray, "r k"]], Float[np.ndarray, " r"]]
"""From the sums [r, k] of r resamples to the r values of the score."""

RESAMPLES = 1000
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """The percentile interval of a statistic; `value` is the statistic of the data itself."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Difference(Interval):
    """Interval of `first - second`; p_value is two-sided, of `paired_difference`."""

    p_value: float


def bootstrap(
    statistic: Statistic,
    table: Num[np.ndarray, "n k"],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Return the interval of a function of the table's column sums, documents being its rows.

    Raises ValueError if there is no document.
    """
    value, values = _values(statistic, table, resamples, seed)
    return Interval(value, *_percentiles(values, level))


def bootstrap_mean(
    values: Float[np.ndarray, " n"],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Return the interval of the mean over documents; a NaN is a document that does not count."""
    return bootstrap(mean_of_sums, counted(values), resamples=resamples, level=level, seed=seed)


def counted(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """Return each value beside a 1, and zeros for a NaN: the sums' mean is `mean_of_sums`."""
    counts = ~np.isnan(values)
    return np.stack([np.where(counts, values, 0.0), counts], axis=1)


def mean_of_sums(sums: Float[np.ndarray, "r 2"]) -> Float[np.ndarray, " r"]:
    """Return total / count, NaN where the count is 0."""
    total, count = sums.T
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def paired_difference(
    statistic: Statistic,
    first: Num[np.ndarray, "n k"],
    second: Num[np.ndarray, "n k"],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Difference:
    """Return how two runs differ on the same documents: row i of both tables is document i.

    Both are resampled by the same draws, so what makes a document hard for both cancels out. The
    data count as one resample more, so that no p-value is 0 (Davison and Hinkley, 1997, 4.2).
    """
    if first.shape != second.shape:
        raise ValueError(f"the runs' tables differ: {first.shape} and {second.shape}")
    one, ones = _values(statistic, first, resamples, seed)
    other, others = _values(statistic, second, resamples, seed)
    moved = ones - others
    p_value = 2 * (1 + min((moved <= 0).sum(), (moved >= 0).sum())) / (1 + resamples)
    return Difference(one - other, *_percentiles(moved, level), p_value=min(1.0, float(p_value)))


def _values(
    statistic: Statistic, table: Num[np.ndarray, "n k"], resamples: int, seed: int
) -> tuple[float, Float[np.ndarray, " r"]]:
    table = np.asarray(table, np.float64)
    if not len(table):
        raise ValueError("no document to resample")
    sums = np.stack([weights @ table for weights in _weights(len(table), resamples, seed)])
    return float(statistic(table.sum(axis=0, keepdims=True))[0]), statistic(sums)


def _weights(documents: int, resamples: int, seed: int) -> Iterator[Int64[np.ndarray, " n"]]:
    """Yield how often each document occurs in a resample: n draws with replacement."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        draws = rng.integers(documents, size=documents)
        yield np.bincount(draws, minlength=documents)


def _percentiles(values: Float[np.ndarray, " r"], level: float) -> tuple[float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan")
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
