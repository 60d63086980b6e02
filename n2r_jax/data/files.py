"""A user's own file (JSONL, CSV, TSV or Parquet) as a source of records.

A row has `tokens` (a list; in CSV separated by spaces) or `text` (cut by `tokenize`; ignored beside
`tokens`), a `label` (name or integer), and may have an `id` and the rationale in one of three
forms: `rationale` (0/1 per token), `spans` ([start, end) in tokens) or `char_spans` (in characters
of `text`). Other fields are ignored.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
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
    path: str | os.PathLike[str], *, label_names: Sequence[str] | None = None
) -> MemorySource:
    """Read a file whose ending tells its format.

    Without `label_names`, names are the sorted string labels, or "0".."K-1" for integers. Give a
    dev or test file the label_names of its training file. Raises DataError or BadRows.
    """
    return scan_file(path, label_names=label_names).usable()


def scan_file(path: str | os.PathLike[str], *, label_names: Sequence[str] | None = None) -> Scan:
    """Read a file and keep its bad rows as errors; DataError if the file itself is unreadable."""
    rows, errors = scan_rows(path, label_names)
    return resolve_labels(path, rows, errors, label_names)


def scan_rows(
    path: str | os.PathLike[str], label_names: Sequence[str] | None = None
) -> tuple[list[Row], list[DataError]]:
    """Good rows of a file, their labels still as written, and the errors of the others."""
    path = Path(path)
    ending = file_ending(path)
    stem = path.name[: -len(ending)]
    rows, errors = collect_rows(
        path, lambda fields, line: parse_row(fields, line, default_id=f"{stem}-{line}")
    )
    if ending.startswith((".csv", ".tsv")):
        rows = _number_labels(rows, label_names or ())
    return rows, errors


def collect_rows(
    path: Path, parse: Callable[[dict[str, Any], int], Row]
) -> tuple[list[Row], list[DataError]]:
    """Apply `parse` to every raw row of a file; also refuses an id that comes twice."""
    rows: list[Row] = []
    errors: list[DataError] = []
    lines: dict[str, int] = {}
    for line, fields in read_raw(path):
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
    if label_names is None:
        try:
            label_names = infer_label_names(row.label for row in rows)
        except LabelProblem as bad:
            errors.append(DataError(bad.problem, file=path, mend=bad.mend))
            label_names, rows = (), ()
    for row in rows:
        try:
            label = label_index(row.label, label_names)
            records.append(Record(row.id, row.tokens, label, row.rationale))
        except LabelProblem as bad:
            errors.append(DataError(bad.problem, file=path, line=row.line, mend=bad.mend))
    errors.sort(key=lambda error: error.line or 0)
    return Scan(os.fspath(path), MemorySource(records, label_names), tuple(errors))


def _number_labels(rows: list[Row], label_names: Sequence[str]) -> list[Row]:
    """CSV knows no types: integers are read as such unless they are names of the label set."""
    return [
        dataclasses.replace(row, label=int(row.label))
        if INTEGER.fullmatch(str(row.label)) and row.label not in label_names
        else row
        for row in rows
    ]
