"""What ERASER's official scorer would do silently, or stop at, told with the row to look at."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from n2r_jax.score.eraser_annotations import Annotation
from n2r_jax.score.eraser_classes import KINDS
from n2r_jax.score.eraser_predictions import Prediction
from n2r_jax.score.eraser_rationales import WITHOUT_GOLD_AUPRC, gold_spans

NORMALISED = 1e-3
"""How far the sum of a row's probabilities may be from 1."""


def score_warnings(
    annotations: Sequence[Annotation],
    rows: Sequence[Prediction],
    gold_file: Path,
    predictions: Path,
) -> Iterator[str]:
    """One line for each thing to know of the files, with the first row that has it."""
    names = {row.id for row in annotations}
    first = rows[0]
    leading = first.documents[0].hard if first.documents else None
    if not leading and any(row.has_hard for row in rows):
        yield (
            f"{predictions}, line {first.line}: the first row selects nothing, so the official "
            "scorer leaves out all hard scores; put a row that selects something first"
        )
    if rest := [row.line for row in annotations if row.unknown]:
        fields = next(", ".join(row.unknown) for row in annotations if row.unknown)
        yield f"{gold_file}, {_lines(rest)}: the official scorer stops at {fields}; remove it"
    if rest := [row.line for row in rows if row.id not in names]:
        yield f"{predictions}, {_lines(rest)}: not in the gold, counted as wrong; remove it"
    if rest := _touching(annotations):
        yield (
            f"{gold_file}, {_lines(rest)}: gold spans touch or overlap, so spans merged where they "
            "meet cannot reach 1.0 in iou_scores and rationale_prf; compare token_prf"
        )
    if any(d.soft is not None for row in rows for d in row.documents):
        with_gold = gold_spans(annotations).keys()
        if rest := [r.line for r in rows for d in r.documents if (r.id, d.docid) not in with_gold]:
            yield (
                f"{predictions}, {_lines(rest)}: a document without gold counts "
                f"{WITHOUT_GOLD_AUPRC} in auprc, and is left out of the other two; "
                "read average_precision"
            )
    if rest := [row.line for row in rows if not _is_normalised(row)]:
        yield f"{predictions}, {_lines(rest)}: probabilities do not add up to 1; normalise them"


def _lines(lines: Collection[int]) -> str:
    """'line 3' or 'line 3 and 7 more'."""
    distinct = sorted(set(lines))
    return f"line {distinct[0]}" + (f" and {len(distinct) - 1} more" if distinct[1:] else "")


def _touching(annotations: Sequence[Annotation]) -> list[int]:
    spans = gold_spans(annotations)
    lines = {row.id: row.line for row in annotations}
    found = []
    for (name, _), own in spans.items():
        ordered = sorted(own)
        if any(b[0] <= a[1] for a, b in itertools.pairwise(ordered)):
            found.append(lines[name])
    return found


def _is_normalised(row: Prediction) -> bool:
    ablations = [(row.thresholded or {})[t] for t in row.thresholded or {}]
    found = [row.scores, row.comprehensiveness, row.sufficiency]
    found += [one for a in ablations for one in (a.comprehensiveness, a.sufficiency)]
    return all(one is None or abs(sum(one.values()) - 1) <= NORMALISED for one in found)


def infinite_warnings(
    scores: dict[str, Any], rows: Sequence[Prediction], predictions: Path
) -> Iterator[str]:
    """A line where a divergence is infinite; none where all are finite."""
    names = [f"{kind}_kl" for kind in KINDS if math.isinf(scores[f"{kind}_kl"] or 0)]
    if names:
        lines = [row.line for row in rows if row.scores and 0 in row.scores.values()]
        yield (
            f"{predictions}, {_lines(lines)}: a class has probability 0, so {' and '.join(names)} "
            "is infinite; keep probabilities above 0 and normalise them"
        )
