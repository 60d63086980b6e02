"""`n2r score eraser`: what ERASER's official scorer gives, with a word where it would mislead.

The scorer leaves the hard scores out where the first row selects nothing, and divides by the
number of all selected tokens. Here they are given wherever they are defined, with a warning.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from n2r_jax.errors import DataError, UserError
from n2r_jax.score import eraser_rationales as rationales
from n2r_jax.score.eraser_annotations import (
    Annotation,
    annotations_path,
    document_sizes,
    read_annotations,
)
from n2r_jax.score.eraser_classes import KINDS, class_scores
from n2r_jax.score.eraser_predictions import Prediction, predicted_docids, read_predictions
from n2r_jax.score.eraser_rationales import Units
from n2r_jax.score.eraser_warnings import infinite_warnings, score_warnings

IOU_THRESHOLDS = (0.5,)
AOPC_THRESHOLDS = (0.01, 0.05, 0.1, 0.2, 0.5)


def score_eraser(
    data_dir: str | os.PathLike[str],
    predictions: str | os.PathLike[str],
    split: str = "test",
    *,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    aopc_thresholds: Sequence[float] = AOPC_THRESHOLDS,
) -> tuple[dict[str, Any], list[str]]:
    """Scores in the official scorer's layout, and one line for each thing to know about them.

    Raises DataError, BadRows or UserError for files that it would stop at.
    """
    data_dir, predictions = Path(data_dir), Path(predictions)
    annotations = read_annotations(data_dir, split)
    sizes = document_sizes(data_dir, predicted_docids(predictions))
    rows = read_predictions(predictions, sizes, {row.label for row in annotations})
    _refuse_missing(annotations, rows, predictions)
    gold, predicted = rationales.gold_spans(annotations), rationales.predicted_spans(rows)
    gold_file = annotations_path(data_dir, split)
    warnings = list(score_warnings(annotations, rows, gold_file, predictions))
    scores: dict[str, Any] = {}
    if not gold:
        warnings.append("no row of the gold has an evidence: there are no hard scores")
    elif not predicted:
        warnings.append(f"{predictions}: no row selects any token, so there are no hard scores")
    else:
        scores |= _hard_scores(gold, predicted, iou_thresholds)
    for section, field in (("token", "soft"), ("sentence", "sentences")):
        if any(getattr(d, field) is not None for row in rows for d in row.documents):
            marks = rationales.gold_marks(annotations, sizes, sentences=section == "sentence")
            scores[f"{section}_soft_metrics"] = rationales.soft_scores(rows, marks, field)
    if rows[0].label is not None:
        scores["classification_scores"] = class_scores(annotations, rows, aopc_thresholds)
        warnings += infinite_warnings(scores["classification_scores"], rows, predictions)
    return scores, warnings


def _hard_scores(gold: Units, predicted: Units, thresholds: Sequence[float]) -> dict[str, Any]:
    tokens = rationales.tokens_of(gold), rationales.tokens_of(predicted)
    return {
        "iou_scores": rationales.iou_scores(gold, predicted, thresholds),
        "rationale_prf": rationales.exact_scores(gold, predicted),
        "token_prf": rationales.exact_scores(*tokens),
    }


def _refuse_missing(
    annotations: Sequence[Annotation],
    rows: Sequence[Prediction],
    predictions: Path,
) -> None:
    present = {row.id for row in rows}
    missing = [row for row in annotations if row.id not in present]
    if missing:
        problem = f"no row for annotation {missing[0].id!r} (line {missing[0].line} of the gold)"
        if len(missing) > 1:
            problem += f" nor for {len(missing) - 1} more"
        mend = "predict every annotation of the split, or name another --split"
        raise DataError(problem, file=predictions, mend=mend)


def score_command(
    data_dir: str,
    predictions: str,
    out: str,
    split: str,
    *,
    iou_thresholds: Sequence[float],
    aopc_thresholds: Sequence[float],
) -> int:
    """Score, print warnings and the main numbers, and write the JSON file.

    Without thresholds the official scorer's are taken.
    """
    inputs = (
        Path(predictions),
        annotations_path(Path(data_dir), split),
        Path(data_dir, "docs.jsonl"),
    )
    if any(Path(out).absolute() == path.absolute() for path in inputs):
        raise UserError(f"--out {out} is one of the files to read; name another")
    scores, warnings = score_eraser(
        data_dir,
        predictions,
        split,
        iou_thresholds=iou_thresholds or IOU_THRESHOLDS,
        aopc_thresholds=aopc_thresholds or AOPC_THRESHOLDS,
    )
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _write(Path(out), scores)
    for name, value in summary(scores):
        print(f"{name:<32}{value:.4f}")
    print(f"written to {out}")
    return 0


def summary(scores: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers that papers report, each under its definition."""
    if "token_prf" in scores:
        for average, score in scores["token_prf"].items():
            yield f"token F1 ({average})", score["f1"]
        for one in scores["iou_scores"]:
            yield f"IoU F1 (macro, {one['threshold']:g})", one["macro"]["f1"]
    if "token_soft_metrics" in scores:
        yield "token AUPRC (mean over texts)", scores["token_soft_metrics"]["auprc"]
    if classes := scores.get("classification_scores"):
        yield "accuracy", classes["accuracy"]
        for kind in KINDS:
            for name, shown in ((kind, kind), (f"{kind}_aopc", f"{kind} (AOPC)")):
                if classes[name] is not None:
                    yield shown, classes[name]


def _write(path: Path, scores: dict[str, Any]) -> None:
    """Write the scores in one step, keys sorted as the official scorer writes them."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(scores, indent=4, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        reason = f"cannot be written ({error.strerror})"
        raise DataError(reason, file=path, mend="name a file elsewhere by --out") from error
