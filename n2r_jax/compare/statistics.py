"""How runs score on the same inputs, and how likely their differences are by chance alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from n2r_jax.compare.inputs import InputScores
from n2r_jax.metrics.bootstrap import (
    RESAMPLES,
    Statistic,
    bootstrap,
    mean_of_sums,
    paired_difference,
)
from n2r_jax.metrics.overlap import prf, ratio

STATISTICS: dict[str, Statistic] = {
    "accuracy": mean_of_sums,
    "f1_micro": lambda sums: prf(*sums.T[:3]).f1,
    "f1_instance_mean": mean_of_sums,
}
"""Scores that are compared, as functions of column sums of `InputScores.tables`."""
DEFINITIONS = {
    "accuracy": "share of inputs whose label is predicted",
    "f1_micro": "counts of tokens summed over all annotated inputs, also of tokens not read",
    "f1_instance_mean": "mean over inputs with a gold token of each one's F1",
    "difference": "a run minus the first",
    "interval": "95 %, percentile bootstrap over inputs; of a difference the inputs are paired",
    "p_value": "two-sided, of the paired bootstrap: 2 (1 + min(n <= 0, n >= 0)) / (1 + resamples)",
    "wilcoxon": "two-sided signed-rank test of inputs' F1 (Wilcoxon, 1945), equal ones left out",
    "holm": "p-value adjusted for all runs that are compared with the first (Holm, 1979)",
}


def run_scores(scores: InputScores, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return a run's scores with intervals, precision, recall and sparsity; None where undefined.

    Of the share of selected tokens all inputs count, of the rest of overlap the annotated ones.
    """
    found: dict[str, Any] = {
        name: None
        if not len(table)
        else _plain(bootstrap(STATISTICS[name], table, resamples=resamples))
        for name, table in scores.tables.items()
    }
    marked = scores.counts[scores.annotated].sum(0)
    own = prf(*marked[:3]) if scores.annotated.any() else None
    selected, _, _, length = scores.counts.sum(0)
    return found | {
        "precision_micro": None if own is None else float(own.precision),
        "recall_micro": None if own is None else float(own.recall),
        "sparsity_micro": float(ratio(selected, length)),
    }


def differences(
    scores: Mapping[str, InputScores], resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """Return how each run but the first differs from the first, a dictionary a run.

    By score: value, low, high, p_value and holm; and `wilcoxon` of the inputs' F1. None where no
    input has gold.
    """
    (base, first), *others = scores.items()
    found: list[dict[str, Any]] = []
    for name, own in others:
        row: dict[str, Any] = {"run": name, "minus": base}
        for score, table in own.tables.items():
            pair = (STATISTICS[score], table, first.tables[score])
            row[score] = (
                _plain(paired_difference(*pair, resamples=resamples)) if len(table) else None
            )
        found.append(row | {"wilcoxon": signed_rank(own.f1, first.f1)})
    for score in (*STATISTICS, "wilcoxon"):
        known = [row[score] for row in found if row[score] is not None]
        for entry, adjusted in zip(known, holm([e["p_value"] for e in known]), strict=True):
            entry["holm"] = adjusted
    return found


def signed_rank(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]
) -> dict[str, Any] | None:
    """Return Wilcoxon's signed-rank test of paired scores, where both are numbers; None of no pair.

    statistic, p_value (two-sided; 1 where all pairs are equal), and in how many inputs the first
    is better, worse and equal.
    """
    from scipy import stats

    both = ~(np.isnan(first) | np.isnan(second))
    if not both.any():
        return None
    # Equal scores that were computed alike are equal to the bit; rounding guards the others.
    moved = np.round(first[both] - second[both], 12)
    better, worse = int((moved > 0).sum()), int((moved < 0).sum())
    counts = {"better": better, "worse": worse, "equal": len(moved) - better - worse}
    if not better + worse:
        return {"statistic": 0.0, "p_value": 1.0} | counts
    test = stats.wilcoxon(moved[moved != 0])
    return {"statistic": float(test.statistic), "p_value": float(test.pvalue)} | counts


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: the i-th smallest of m times m - i, at most 1.

    None is smaller than one before it. Holm, 1979: a simple sequentially rejective procedure.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    raised = np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted.tolist()


def _plain(interval: Any) -> dict[str, float]:
    return dataclasses.asdict(interval)
