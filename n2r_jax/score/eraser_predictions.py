"""ERASER's predictions file: every row checked, each mistake with its line and its mend."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from n2r_jax.data.raw import file_errors, parse_json_line, read_lines
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import BadRows, DataError
from n2r_jax.score.eraser_annotations import Size

Distribution = dict[str, float]
"""Probability of each label."""
Sizes = Mapping[str, Size]
Spans = tuple[tuple[int, int], ...]
COMPREHENSIVENESS = "comprehensiveness_classification_scores"
SUFFICIENCY = "sufficiency_classification_scores"


@dataclasses.dataclass(frozen=True)
class DocumentRationale:
    """What a row predicts of one document."""

    docid: str
    hard: Spans | None
    soft: Float[np.ndarray, " t"] | None
    sentences: Float[np.ndarray, " s"] | None


@dataclasses.dataclass(frozen=True)
class Ablation:
    """The classes' probabilities without the rationale, and with nothing but the rationale."""

    comprehensiveness: Distribution
    sufficiency: Distribution


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One row of the file."""

    line: int
    id: str
    documents: tuple[DocumentRationale, ...]
    label: str | None
    scores: Distribution | None
    comprehensiveness: Distribution | None
    sufficiency: Distribution | None
    thresholded: dict[float, Ablation] | None
    """By share of tokens that the rationale is made of."""

    @property
    def has_hard(self) -> bool:
        """Whether any token is selected."""
        return any(document.hard for document in self.documents)


def predicted_docids(path: Path) -> set[str]:
    """Every docid that the file names, so that only those documents are read."""
    found = set()
    for _, fields in _rows(path):
        rationales = fields.get("rationales") if isinstance(fields, dict) else None
        for one in rationales if isinstance(rationales, list) else ():
            if isinstance(one, dict) and isinstance(one.get("docid"), str):
                found.add(one["docid"])
    return found


def read_predictions(path: Path, sizes: Sizes, labels: Collection[str]) -> list[Prediction]:
    """Read the file; labels: those that occur in the gold.

    Raises DataError for the file, BadRows with all rows that the official scorer would stop at.
    """
    found: list[Prediction] = []
    errors: list[DataError] = []
    lines: dict[str, int] = {}
    for number, fields in _rows(path):
        try:
            row = _parse(fields, number, sizes, labels)
            if (first := lines.setdefault(row.id, number)) != number:
                problem = f"annotation_id {row.id!r} again (first in line {first})"
                raise RowProblem(problem, "write one row an annotation")
            found.append(row)
        except RowProblem as bad:
            errors.append(DataError(bad.problem, file=path, line=number, mend=bad.mend))
    if not errors:
        errors = list(_uneven(path, found))
    if errors:
        raise BadRows(errors)
    if not found:
        raise DataError("no rows", file=path, mend="check that this is the right file")
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | RowProblem]]:
    with file_errors(path):
        for number, line in read_lines(path):
            if line.strip():
                yield number, parse_json_line(line)


def _uneven(path: Path, rows: list[Prediction]) -> Iterator[DataError]:
    """Fields that some rows have and others lack: the averages would be of different rows."""
    fields = {
        "soft_rationale_predictions": lambda row: [d.soft is not None for d in row.documents],
        "soft_sentence_predictions": lambda row: [d.sentences is not None for d in row.documents],
        "classification": lambda row: [row.label is not None],
        COMPREHENSIVENESS: lambda row: [row.comprehensiveness is not None],
        SUFFICIENCY: lambda row: [row.sufficiency is not None],
        "thresholded_scores": lambda row: [row.thresholded is not None],
    }
    for name, present in fields.items():
        having = [row for row in rows if any(present(row))]
        lacking = [row for row in rows if not all(present(row))]
        if having and lacking:
            problem = f"no {name}, which line {having[0].line} has"
            mend = "give it to all rows or to none"
            yield DataError(problem, file=path, line=lacking[0].line, mend=mend)


def _parse(
    fields: dict[str, Any] | RowProblem, line: int, sizes: Sizes, labels: Collection[str]
) -> Prediction:
    if isinstance(fields, RowProblem):
        raise fields
    name = fields.get("annotation_id")
    if not isinstance(name, str) or not name:
        raise RowProblem("no annotation_id", "give every row one, a string")
    rationales = fields.get("rationales") or []
    if not isinstance(rationales, list):
        raise RowProblem("rationales are not a list", "write one object a document")
    documents = tuple(_parse_document(one, sizes) for one in rationales)
    if len({document.docid for document in documents}) < len(documents):
        raise RowProblem("two rationales for one document", "write one entry a document")
    label, scores = _parse_class(fields, labels)
    row = Prediction(
        line,
        name,
        documents,
        label,
        scores,
        _parse_distribution(fields, COMPREHENSIVENESS, scores),
        _parse_distribution(fields, SUFFICIENCY, scores),
        _parse_thresholds(fields, scores),
    )
    if row.thresholded is not None and None in (row.comprehensiveness, row.sufficiency):
        raise RowProblem(
            "thresholded_scores without comprehensiveness and sufficiency",
            f"add {COMPREHENSIVENESS} and {SUFFICIENCY}",
        )
    return row


def _parse_document(one: Any, sizes: Sizes) -> DocumentRationale:
    docid = one.get("docid") if isinstance(one, dict) else None
    if not isinstance(docid, str):
        raise RowProblem("a rationale without docid", "name its document")
    if docid not in sizes:
        raise RowProblem(f"no document {docid!r} in the data", "use the docids of docs/")
    tokens, sentences = sizes[docid]
    return DocumentRationale(
        docid,
        _parse_spans(one.get("hard_rationale_predictions"), docid, tokens),
        _parse_scores(one, "soft_rationale_predictions", tokens),
        _parse_scores(one, "soft_sentence_predictions", sentences),
    )


def _parse_spans(spans: Any, docid: str, length: int) -> Spans | None:
    if spans is None:
        return None
    try:
        found = [(span["start_token"], span["end_token"]) for span in spans]
    except (KeyError, TypeError):
        mend = "write [{'start_token': int, 'end_token': int}, ...]"
        raise RowProblem("hard_rationale_predictions cannot be read", mend) from None
    for start, end in found:
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= length:
            raise RowProblem(
                f"span [{start}, {end}] is empty or outside the {length} tokens of {docid!r}",
                "count tokens from 0, end exclusive",
            )
    ordered = sorted(found)
    for (_, end), (start, _) in itertools.pairwise(ordered):
        if start < end:
            raise RowProblem(f"two spans overlap at token {start} of {docid!r}", "merge them")
    return tuple(found)


def _parse_scores(one: dict[str, Any], field: str, length: int) -> Float[np.ndarray, " t"] | None:
    if (scores := one.get(field)) is None:
        return None
    unit = "sentences" if "sentence" in field else "tokens"
    if not isinstance(scores, list) or len(scores) != length:
        given = f"{len(scores)} numbers" if isinstance(scores, list) else "no list"
        problem = f"{field} has {given} for the {length} {unit} of {one['docid']!r}"
        raise RowProblem(problem, f"write one number for each of the {unit}")
    if not length:
        problem = f"{field} for {one['docid']!r}, which is empty"
        raise RowProblem(problem, "leave the document out")
    if not all(_is_number(score) for score in scores):
        raise RowProblem(f"{field} has what is not a finite number", "write numbers only")
    return np.asarray(scores, np.float64)


def _parse_class(
    fields: dict[str, Any], labels: Collection[str]
) -> tuple[str | None, Distribution | None]:
    label = fields.get("classification")
    scores = _parse_distribution(fields, "classification_scores", None)
    if (label is None) != (scores is None):
        problem = "classification without classification_scores, or the other way round"
        raise RowProblem(problem, "give both or neither")
    if label is None or scores is None:
        return None, None
    if label not in labels:
        shown = ", ".join(map(repr, sorted(labels)[:10]))
        raise RowProblem(f"label {label!r} is not in the gold", f"use one of {shown}")
    if label not in scores:
        raise RowProblem(f"classification_scores has no {label!r}", "give every label a number")
    return label, scores


def _parse_distribution(
    fields: dict[str, Any], name: str, like: Distribution | None
) -> Distribution | None:
    """Probabilities of the labels, which are those of `like` where there is one."""
    if (scores := fields.get(name)) is None:
        return None
    if not isinstance(scores, dict) or not scores or not all(map(_is_number, scores.values())):
        raise RowProblem(f"{name} is not {{label: number}}", "give every label a finite number")
    if min(scores.values()) < 0 or sum(scores.values()) <= 0:
        raise RowProblem(f"{name} has a negative number or nothing else than 0", "normalise it")
    if name != "classification_scores" and (like is None or scores.keys() != like.keys()):
        problem = f"{name} has not the labels of classification_scores"
        raise RowProblem(problem, "give both the same labels")
    return {label: float(score) for label, score in scores.items()}


def _parse_thresholds(
    fields: dict[str, Any], scores: Distribution | None
) -> dict[float, Ablation] | None:
    if (entries := fields.get("thresholded_scores")) is None:
        return None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RowProblem("thresholded_scores are not a list of objects", "write one a threshold")
    found: dict[float, Ablation] = {}
    for entry in entries:
        threshold = entry.get("threshold")
        without = _parse_distribution(entry, COMPREHENSIVENESS, scores)
        only = _parse_distribution(entry, SUFFICIENCY, scores)
        if not _is_number(threshold) or without is None or only is None:
            mend = f"give each threshold, {COMPREHENSIVENESS}, {SUFFICIENCY}"
            raise RowProblem("an entry of thresholded_scores is not complete", mend)
        if threshold in found:
            raise RowProblem(f"threshold {threshold} twice", "give every threshold once")
        found[threshold] = Ablation(without, only)
    return found


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
