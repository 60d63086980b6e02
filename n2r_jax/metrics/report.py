"""Everything said about a set of rationales: task, selection, overlap with gold, baselines."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from n2r_jax.metrics import task
from n2r_jax.metrics.baselines import baseline_rows
from n2r_jax.metrics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Interval,
    Statistic,
    bootstrap,
    counted,
    mean_of_sums,
)
from n2r_jax.metrics.overlap import (
    OverlapCounts,
    Prf,
    gold_rate,
    instance_mean,
    iou,
    micro,
    prf,
    ratio,
    sparsity,
)
from n2r_jax.metrics.plausibility import TokenF1, token_f1
from n2r_jax.metrics.ranking import corpus_area, instance_area

LIKELY = 0.5
"""A unit more probable than this is selected where scores are made a mask."""
DEFINITIONS = {
    "micro": "corpus-micro: counts summed over all annotated inputs (N2R; ERASER instance_micro)",
    "instance_mean": "mean over annotated inputs of each input's score (ERASER instance_macro)",
    "sparsity_micro": "selected units / real units, over all inputs",
    "gold_rate_micro": "gold units / real units, over all annotated inputs",
    "iou_micro": "sum of intersections / sum of unions over units",
    "iou_instance_mean": "mean over inputs of intersection / union over units",
    "average_precision_instance_mean": "sum (R_n - R_{n-1}) P_n, mean over inputs with gold",
    "auprc_instance_mean": "trapezoidal area under precision-recall, mean over inputs with gold",
    "average_precision_corpus": "sum (R_n - R_{n-1}) P_n, units of all inputs pooled",
    "auprc_corpus": "trapezoidal area under precision-recall, units of all inputs pooled",
    "token_f1_macro": "units of probability above 0.5: mean F1 of marked and of other units, mean "
    "over inputs (UNIREX's TF1)",
    "token_f1_positive": "units of probability above 0.5: F1 of marked units, mean over inputs "
    "(ERASER's token F1)",
    "accuracy": "share of inputs whose label is predicted",
    "macro_f1": "mean over classes of the one-against-rest F1",
    "binary_f1": "F1 of the second class",
    "cross_entropy": "mean -log p(label), nats",
    "select_all": "the mask of all units",
    "random": "expected score of a random mask of the same sparsity",
    "ceiling": "best score (for the instance mean: a bound of F1) of any mask as large in all",
    "interval": "percentile bootstrap over documents",
}


@dataclasses.dataclass(frozen=True)
class RationaleReport:
    """The sections of a report, JSON-able; `overlap` is None where `overlap_missing` says why."""

    task: dict[str, Any]
    selection: dict[str, Any]
    overlap: dict[str, Any] | None
    overlap_missing: str | None
    bootstrap: dict[str, Any]
    faithfulness: dict[str, Any] | None = None
    """Where it was asked for; its names are defined in it."""

    def to_dict(self) -> dict[str, Any]:
        """Return all sections and the definitions of their names, for json.dump."""
        return dataclasses.asdict(self) | {"definitions": DEFINITIONS}


@dataclasses.dataclass(frozen=True)
class _Resampler:
    """The bootstrap's settings, applied to every score alike; a NaN is written as None."""

    resamples: int
    seed: int
    choices: int = 1
    """Inputs that are drawn together: the rows of a question."""

    def sums(self, statistic: Statistic, table: Shaped[np.ndarray, "n k"]) -> dict[str, Any]:
        together = np.asarray(table).reshape(-1, self.choices, table.shape[1]).sum(1)
        return _plain(bootstrap(statistic, together, resamples=self.resamples, seed=self.seed))

    def mean(self, values: Float[np.ndarray, " n"]) -> dict[str, Any]:
        return self.sums(mean_of_sums, counted(values))


def rationale_report(
    *,
    mask: Shaped[np.ndarray, "n t"],
    valid: Shaped[np.ndarray, "n t"],
    labels: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    classes: int,
    gold: Shaped[np.ndarray, "n t"] | None = None,
    has_gold: Bool[np.ndarray, " n"] | None = None,
    scores: Float[np.ndarray, "n t"] | None = None,
    probabilities: Float[np.ndarray, "n c"] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    choices: int = 1,
) -> RationaleReport:
    """Return every score of n inputs padded to t units; rows without a real unit are dropped.

    `mask` and `gold` are 0/1, `scores` are probabilities that units are selected. Overlap is scored
    on the rows of `has_gold` (default: all, if there is `gold`). Raises ValueError without inputs.
    choices: inputs that make a question, of which the task is scored once; all have its labels.
    """
    mask, valid = np.asarray(mask), np.asarray(valid)
    rows = np.asarray(valid.any(axis=1))
    annotated = rows if has_gold is None else rows & np.asarray(has_gold, bool)
    resampler = _Resampler(resamples, seed, choices)
    overlap, missing = None, "none of the inputs has a gold rationale"
    if gold is not None and annotated.any():
        marks, real = np.asarray(gold)[annotated], valid[annotated]
        overlap = {"without_gold": int(rows.sum() - annotated.sum())}
        overlap |= _overlap(OverlapCounts.from_masks(mask[annotated], marks, real), resampler)
        if scores is not None:
            overlap |= _ranking(np.asarray(scores)[annotated], marks, real, resampler)
        missing = None
    return RationaleReport(
        task=_task(labels, predicted, probabilities, rows, classes, resampler),
        selection=_selection(mask[rows], valid[rows], resampler),
        overlap=overlap,
        overlap_missing=missing,
        bootstrap={
            "unit": "document" if choices == 1 else "question",
            "resamples": resamples,
            "seed": seed,
            "level": LEVEL,
        },
    )


def _task(
    labels: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n c"] | None,
    rows: Bool[np.ndarray, " n"],
    classes: int,
    resampler: _Resampler,
) -> dict[str, Any]:
    rows = np.flatnonzero(rows)[:: resampler.choices]  # a question once
    labels, predicted = np.asarray(labels)[rows], np.asarray(predicted)[rows]
    table = task.confusion_rows(labels, predicted, classes=classes)
    resampler = dataclasses.replace(resampler, choices=1)
    section = {
        "inputs": len(labels),
        "accuracy": resampler.mean((labels == predicted).astype(np.float64)),
        "macro_f1": resampler.sums(task.macro_f1_of_sums, table),
        "confusion": task.confusion(labels, predicted, classes=classes).tolist(),
    }
    if classes == 2:
        section["binary_f1"] = resampler.sums(task.binary_f1_of_sums, table)
    if probabilities is not None:
        losses = task.cross_entropy(labels, np.asarray(probabilities)[rows])
        section["cross_entropy"] = resampler.mean(losses)
    return section


def _selection(
    mask: Shaped[np.ndarray, "n t"], valid: Shaped[np.ndarray, "n t"], resampler: _Resampler
) -> dict[str, Any]:
    counts = OverlapCounts.from_masks(mask, np.zeros_like(valid), valid)
    return {
        "units": int(counts.length.sum()),
        "selected": int(counts.selected.sum()),
        "nothing_selected": int((counts.selected == 0).sum()),
        "sparsity_micro": resampler.sums(lambda sums: ratio(sums[:, 0], sums[:, 3]), counts.table),
    }


def _overlap(counts: OverlapCounts, resampler: _Resampler) -> dict[str, Any]:
    share = sparsity(counts)
    baselines = baseline_rows(counts)
    seen = counts.selected + counts.gold > 0
    own_f1 = prf(counts.selected, counts.gold, counts.true_positives).f1
    intervals = {
        "micro": resampler.sums(lambda sums: prf(*sums.T[:3]).f1, counts.table),
        "instance_mean": resampler.mean(np.where(seen, own_f1, np.nan)),
    }
    section: dict[str, Any] = {
        "annotated": len(counts),
        "empty_gold": int((counts.gold == 0).sum()),
        "gold_rate_micro": {"value": gold_rate(counts)},
    }
    for name, model in (("micro", micro(counts)), ("instance_mean", instance_mean(counts))):
        interval = {f"f1_{end}": intervals[name][end] for end in ("low", "high")}
        shares = {"select_all": 1.0, "random": share, "ceiling": share}
        section[name] = {"model": _score(model, share) | interval} | {
            row: _score(score, shares[row]) for row, score in baselines[name].items()
        }
    section["iou_micro"] = resampler.sums(_iou_of_sums, counts.table)
    section["iou_instance_mean"] = resampler.mean(np.where(seen, iou(counts), np.nan))
    return section


def _iou_of_sums(sums: Float[np.ndarray, "r 4"]) -> Float[np.ndarray, " r"]:
    selected, gold, true_positives, _ = sums.T
    return ratio(true_positives, selected + gold - true_positives)


def _ranking(
    scores: Float[np.ndarray, "n t"],
    gold: Shaped[np.ndarray, "n t"],
    valid: Shaped[np.ndarray, "n t"],
    resampler: _Resampler,
) -> dict[str, Any]:
    section: dict[str, Any] = {}
    for area in ("average_precision", "auprc"):
        section[f"{area}_instance_mean"] = resampler.mean(instance_area(scores, gold, valid, area))
        section[f"{area}_corpus"] = {"value": _number(corpus_area(scores, gold, valid, area))}
    for definition in get_args(TokenF1):
        values = token_f1(scores - LIKELY, gold, valid, definition)
        section[f"token_f1_{definition}"] = resampler.mean(values)
    return section


def _score(score: Prf | float, share: float) -> dict[str, float | None]:
    known = score._asdict() if isinstance(score, Prf) else {"f1": score}
    scores = {name: float(known[name]) if name in known else None for name in Prf._fields}
    return scores | {"sparsity": share}


def _plain(interval: Interval) -> dict[str, float | None]:
    return {name: _number(value) for name, value in dataclasses.asdict(interval).items()}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
