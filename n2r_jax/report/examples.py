"""Texts with what runs selected of them, as plain values that a page draws from.

Only this file and `drawText` of the page's script know that an example is a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from n2r_jax.data.records import Record
from n2r_jax.evaluate import Evaluation
from n2r_jax.explain import runs
from n2r_jax.metrics.overlap import OverlapCounts, prf

Spans = list[int]
"""Runs of marked tokens, one after the other: start, end, start, end, ..."""


def examples(evaluations: Sequence[Evaluation], limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` texts, each with what every run says of it.

    Keys of a text: id, tokens (one string where blanks part them), label (an index), gold (spans;
    absent where no human marked it), unread (tokens at its end that no run read) and runs: label,
    probability, mask (spans), f1 (absent where it is not defined) and read (tokens, where not all).
    """
    source = evaluations[0].source
    f1s = [input_f1(evaluation) for evaluation in evaluations]
    found = []
    for index in range(min(limit, len(source))):
        record = source[index]
        read = [int(evaluation.texts.lengths[index]) for evaluation in evaluations]
        own = [
            _of_run(evaluation, f1, index, record)
            for evaluation, f1 in zip(evaluations, f1s, strict=True)
        ]
        found.append(_text(record, max(read)) | {"runs": own})
    return found


def input_f1(evaluation: Evaluation) -> Float[np.ndarray, " n"]:
    """Return each input's F1 of selected tokens, NaN without gold or where nothing is at stake.

    Over the tokens that the run read; nothing is at stake where none is gold and none selected.
    """
    mask, gold, valid = evaluation.outputs.mask, evaluation.gold, evaluation.valid
    counts = OverlapCounts.from_masks(mask, gold, valid)
    scored = evaluation.texts.annotated & (counts.selected + counts.gold > 0)
    return np.where(scored, prf(counts.selected, counts.gold, counts.true_positives).f1, np.nan)


def _text(record: Record, read: int) -> dict[str, Any]:
    """What is the same for all runs, up to the last token that one of them read."""
    shown = record.tokens[:read]
    parted = any(" " in token for token in shown)
    text: dict[str, Any] = {
        "id": record.id,
        "tokens": list(shown) if parted else " ".join(shown),
        "label": record.label,
    }
    if record.rationale is not None:
        text["gold"] = _spans(record.rationale[:read])
    if len(record.tokens) > read:
        text["unread"] = len(record.tokens) - read
    return text


def _of_run(
    evaluation: Evaluation, f1: Float[np.ndarray, " n"], index: int, record: Record
) -> dict[str, Any]:
    probabilities = evaluation.outputs.probabilities[index]
    label, read = int(probabilities.argmax()), int(evaluation.texts.lengths[index])
    found: dict[str, Any] = {
        "label": label,
        "probability": round(float(probabilities[label]), 3),
        "mask": _spans(evaluation.outputs.mask[index, :read]),
    }
    if not np.isnan(f1[index]):
        found["f1"] = round(float(f1[index]), 3)
    if read < len(record.tokens):
        found["read"] = read
    return found


def _spans(mask: Sequence[int] | Int[np.ndarray, " t"]) -> Spans:
    return [place for span in runs([int(flag) for flag in mask]) for place in span]
