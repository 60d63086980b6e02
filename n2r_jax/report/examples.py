"""Texts or graphs with what runs selected of them, as plain values that a page draws from.

Only this file and `drawText` and `drawGraph` of the page's script know what an example is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from n2r_jax.data.graph_rows import undirected
from n2r_jax.data.multiple_choice import rows_of
from n2r_jax.data.records import Record
from n2r_jax.evaluate import Evaluation
from n2r_jax.explain import runs
from n2r_jax.metrics.overlap import OverlapCounts, prf
from n2r_jax.report.layout import layout

Spans = list[int]
"""Runs of marked tokens, one after the other: start, end, start, end, ..."""


def examples(evaluations: Sequence[Evaluation], limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` texts, each with what every run says of it.

    Keys of a text: id, tokens (one string where blanks part them), label (an index), gold (spans;
    absent where no human marked it), second (of a pair: its second text's first token), choices (a
    question's answers), edges and places (of a graph: its edges' ends, and where each node is
    drawn, x and y from 0 to 1000, one after the other), unread (tokens at its end that no run read)
    and runs: label, probability, mask (spans; of a question for the answer that is predicted),
    answer (spans of that answer), f1 (absent where it is not defined) and unread (spans of tokens
    that it did not read, absent where it read all).
    """
    source = evaluations[0].source
    f1s = [input_f1(evaluation) for evaluation in evaluations]
    found = []
    for index in range(min(limit, len(source))):
        record = source[index]
        own = [_of_run(e, f1, index, record) for e, f1 in zip(evaluations, f1s, strict=True)]
        end = 1 + max(int(np.flatnonzero(run.read).max(initial=-1)) for run in own)
        found.append(_text(record, end) | {"runs": [run.plain(end) for run in own]})
    return found


def input_f1(evaluation: Evaluation) -> Float[np.ndarray, " n"]:
    """Return each row's F1 of selected tokens, NaN without gold or where nothing is at stake.

    Over the tokens that the run read; nothing is at stake where none is gold and none selected.
    """
    mask, gold, valid = evaluation.outputs.mask, evaluation.gold, evaluation.valid
    counts = OverlapCounts.from_masks(mask, gold, valid)
    scored = evaluation.texts.annotated & (counts.selected + counts.gold > 0)
    return np.where(scored, prf(counts.selected, counts.gold, counts.true_positives).f1, np.nan)


def _text(record: Record, end: int) -> dict[str, Any]:
    """What is the same for all runs, up to the last token that one of them read."""
    text: dict[str, Any] = {
        "id": record.id,
        "tokens": _joined(record.tokens[:end]),
        "label": record.label,
    }
    if record.rationale is not None:
        text["gold"] = _spans(record.rationale[:end])
    if 0 < record.second < end:
        text["second"] = record.second
    if record.choices:
        text["choices"] = [_joined(choice) for choice in record.choices]
    if record.graph is not None:
        edges = undirected(record.graph.edges)
        places = (1000 * layout(len(record.tokens), edges)).round().astype(int)
        text |= {"edges": [n for edge in edges for n in edge], "places": places.ravel().tolist()}
        return text
    if len(record.tokens) > end:
        text["unread"] = len(record.tokens) - end
    return text


def _joined(tokens: Sequence[str]) -> str | list[str]:
    return list(tokens) if any(" " in token for token in tokens) else " ".join(tokens)


class _OfRun(NamedTuple):
    """What a run says of one text; mask and read are of all tokens of the record."""

    label: int
    probability: float
    mask: Int[np.ndarray, " t"]
    read: Int[np.ndarray, " t"]
    answer: Int[np.ndarray, " a"]
    """Of a question: the mask of the answer that is predicted."""
    f1: float

    def plain(self, end: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "label": self.label,
            "probability": round(self.probability, 3),
            "mask": _spans(self.mask[:end]),
        }
        if self.answer.any():
            found["answer"] = _spans(self.answer)
        if not np.isnan(self.f1):
            found["f1"] = round(self.f1, 3)
        if not self.read[:end].all():
            found["unread"] = _spans(1 - self.read[:end])
        return found


def _of_run(
    evaluation: Evaluation, f1: Float[np.ndarray, " n"], index: int, record: Record
) -> _OfRun:
    """Of a question: by the row of the answer that is predicted."""
    texts, outputs = evaluation.texts, evaluation.outputs
    probabilities = outputs.probabilities[index * texts.choices]
    label = int(probabilities.argmax())
    row = index * texts.choices + (label if record.choices else 0)
    own = rows_of(record)[label if record.choices else 0]
    places = texts.places(row, own)
    found = np.zeros((2, len(own.tokens)), int)
    found[0, places], found[1, places] = outputs.mask[row, : len(places)], 1
    begin = 1 if record.choices else 0  # `QUESTION` stands before it, `ANSWER` behind
    end = begin + len(record.tokens)
    mask, read = found[:, begin:end]
    return _OfRun(
        label, float(probabilities[label]), mask, read, found[0, end + 1 :], float(f1[row])
    )


def _spans(mask: Sequence[int] | Int[np.ndarray, " t"]) -> Spans:
    return [place for span in runs(np.asarray(mask).tolist()) for place in span]
