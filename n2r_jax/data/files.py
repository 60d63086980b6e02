"""A user's own file (JSONL, CSV, TSV or Parquet) as a source of records.

A row has `tokens` (a list; in CSV separated by spaces) or `text` (cut by `tokenize`; ignored beside
`tokens`), a `label` (name or integer), and may have an `id` and the rationale in one of three
forms: `rationale` (0/1 per token), `spans` ([start, end) in tokens) or `char_spans` (in characters
of `text`). Other fields are ignored.

A pair has its other text as `second` or `second_tokens`, or `segments` beside `tokens` of both: 0
for each of the first text's tokens, 1 for the second's. Its rationale is of the first text's tokens
or of all. A question has `choices`, a list of answers, and as label the right one's number or
letter; its rationale is of the question's tokens. A graph has nodes and edges (`graph_rows`).
"""

from __future__ import annotations

import dataclasses
import os
import re
import string
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from n2r_jax.data.labels import LabelProblem, infer_label_names, label_index
from n2r_jax.data.memory import MemorySource
from n2r_jax.data.raw import file_ending, read_raw
from n2r_jax.data.records import Record
from n2r_jax.data.rows import Row, RowProblem, parse_row
from n2r_jax.errors import BadRows, DataError

INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclasses.dataclass(frozen=True)
class Scan:
    """All that a file holds: the rows that can be used, and an error for each that cannot."""

    file: str
    source: MemorySource
    errors: tuple[DataError, ...]

    def usable(self) -> MemorySource:
        """The source, if every row can be used; raises BadRows, or DataError for the file."""
        if self.errors:
            alone = len(self.errors) == 1 and self.errors[0].line is None
            raise self.errors[0] if alone else BadRows(self.errors)
        return self.source


def read_file(
    path: str | os.PathLike[str],
    *,
    label_names: Sequence[str] | None = None,
    split: str | None = None,
) -> MemorySource:
    """Read a file whose ending tells its format; of several splits in it the one asked for.

    Without `label_names`, names are the sorted string labels, or "0".."K-1" for integers. Give a
    dev or test file the label_names of its training file. Raises DataError or BadRows.
    """
    rows, errors = scan_rows(path, label_names, split)
    return resolve_labels(path, rows, errors, label_names).usable()


def scan_file(path: str | os.PathLike[str], *, label_names: Sequence[str] | None = None) -> Scan:
    """Read a file and keep its bad rows as errors; DataError if the file itself is unreadable."""
    rows, errors = scan_rows(path, label_names)
    return resolve_labels(path, rows, errors, label_names)


def scan_rows(
    path: str | os.PathLike[str],
    label_names: Sequence[str] | None = None,
    split: str | None = None,
) -> tuple[list[Row], list[DataError]]:
    """Good rows of a file, their labels still as written, and the errors of the others."""
    path = Path(path)
    ending = file_ending(path)
    stem = path.name[: -len(ending)]
    rows, errors = collect_rows(
        path, lambda fields, line: parse_row(fields, line, default_id=f"{stem}-{line}"), split
    )
    if ending.startswith((".csv", ".tsv")):
        rows = _number_labels(rows, label_names or ())
    return rows, errors


def collect_rows(
    path: Path, parse: Callable[[dict[str, Any], int], Row], split: str | None = None
) -> tuple[list[Row], list[DataError]]:
    """Apply `parse` to every raw row of a file (or of a split in it); refuses an id again."""
    rows: list[Row] = []
    errors: list[DataError] = []
    lines: dict[str, int] = {}
    for line, fields in read_raw(path, split):
        try:
            if isinstance(fields, RowProblem):
                raise fields
            row = parse(fields, line)
            first = lines.setdefault(row.id, line)
            if first != line:
                raise RowProblem(f"id {row.id!r} again (first in line {first})", "make ids unique")
            rows.append(row)
        except RowProblem as bad:
            errors.append(DataError(bad.problem, file=path, line=line, mend=bad.mend))
    return rows, errors


def resolve_labels(
    path: str | os.PathLike[str],
    rows: Sequence[Row],
    errors: Sequence[DataError],
    label_names: Sequence[str] | None,
) -> Scan:
    """Turn rows into records: each label to its index, rows outside the set to errors."""
    records, errors = [], list(errors)
    if not rows and not errors:
        mend = "check that this is the right file"
        errors.append(DataError("no rows", file=path, mend=mend))
    rows = _same_kind(path, _same_choices(path, rows, errors), errors)
    if label_names is None:
        try:
            label_names = names_of(rows)
        except LabelProblem as bad:
            errors.append(DataError(bad.problem, file=path, mend=bad.mend))
            label_names, rows = (), []
    if rows and rows[0].choices and len(rows[0].choices) != len(label_names):
        found = f"{len(rows[0].choices)} choices and {len(label_names)} labels"
        mend = "a label is a choice's number; give as many names in config.data.labels, or none"
        errors.append(DataError(found, file=path, mend=mend))
        rows = []
    for row in rows:
        try:
            label = label_index(row.label, label_names)
            fields = (row.id, row.tokens, label, row.rationale, row.second, row.choices)
            records.append(Record(*fields, row.graph))
        except LabelProblem as bad:
            errors.append(DataError(bad.problem, file=path, line=row.line, mend=bad.mend))
    errors.sort(key=lambda error: error.line or 0)
    return Scan(os.fspath(path), MemorySource(records, label_names), tuple(errors))


def names_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Names of the labels of rows; of questions one for each choice, "0" or "A" on.

    Raises LabelProblem.
    """
    rows = list(rows)
    count = max((len(row.choices) for row in rows), default=0)
    letters = tuple(string.ascii_uppercase[:count])
    if not count or not rows[0].choices:
        return infer_label_names(row.label for row in rows)
    return letters if all(row.label in letters for row in rows) else tuple(map(str, range(count)))


def _same_choices(
    path: str | os.PathLike[str], rows: Sequence[Row], errors: list[DataError]
) -> list[Row]:
    """Rows with as many choices as the first; an error for each of the others."""
    same = []
    for row in rows:
        count, first = len(row.choices), len(rows[0].choices)
        if count == first:
            same.append(row)
            continue
        problem = f"{count or 'no'} choices, line {rows[0].line} has {first or 'none'}"
        mend = "give every question of a file as many"
        errors.append(DataError(problem, file=path, line=row.line, mend=mend))
    return same


def _same_kind(
    path: str | os.PathLike[str], rows: Sequence[Row], errors: list[DataError]
) -> list[Row]:
    """Texts where the first row is a text, graphs where it is one; an error for each other row."""
    kinds = ["a text" if row.graph is None else "a graph" for row in rows]
    same = []
    for kind, row in zip(kinds, rows, strict=True):
        if kind == kinds[0]:
            same.append(row)
            continue
        problem = f"{kind}, line {rows[0].line} is {kinds[0]}"
        mend = "put texts and graphs into files of their own"
        errors.append(DataError(problem, file=path, line=row.line, mend=mend))
    return same


def _number_labels(rows: list[Row], label_names: Sequence[str]) -> list[Row]:
    """CSV knows no types: integers are read as such unless they are names of the label set."""
    return [
        dataclasses.replace(row, label=int(row.label))
        if INTEGER.fullmatch(str(row.label)) and row.label not in label_names
        else row
        for row in rows
    ]
