"""The texts that an export is of, one by one: a file, an ERASER directory or a run's test split.

A file is read as it is written out, so its size does not matter. Its labels are optional, and bad
rows are all named at the end.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from n2r_jax.data.eraser import documents_in_order, is_eraser, read_eraser
from n2r_jax.data.files import INTEGER
from n2r_jax.data.labels import LabelProblem, label_index
from n2r_jax.data.raw import file_ending, read_raw
from n2r_jax.data.records import Graph, Record
from n2r_jax.data.rows import RowProblem, parse_row
from n2r_jax.data.sources import open_split, reading_of
from n2r_jax.errors import BadRows, DataError
from n2r_jax.score.eraser_annotations import document_sizes, read_annotations


@dataclasses.dataclass(frozen=True)
class InputRow:
    """One text as it was given."""

    id: str
    tokens: tuple[str, ...]
    label: str | None = None
    """The label's name, where the data say it."""
    rationale: tuple[int, ...] | None = None
    """0 or 1 for every token, where a human marked any."""
    text: str | None = None
    """What the tokens were cut from by `tokenize`, where they were."""
    documents: tuple[tuple[str, int], ...] | None = None
    """Of an ERASER row: its documents' names and numbers of tokens, in the order of the tokens."""
    second: int = 0
    """Where the second text of a pair begins among the tokens; 0: there is none."""
    choices: tuple[tuple[str, ...], ...] = ()
    """The answers to choose from, if it is a question."""
    graph: Graph | None = None
    """Edges and features, if it is a graph; its tokens are the types of its nodes."""

    def record(self) -> Record:
        """As it is encoded: its label does not matter."""
        parts = {"second": self.second, "choices": self.choices, "graph": self.graph}
        return Record(self.id, self.tokens, 0, **parts)


def data_path(data: str | None, split: str, config: Any) -> pathlib.Path | None:
    """The file or directory asked for, else the run's own; None where its data are no files."""
    if data is None and config.data.name == "eraser":
        data = config.data.train
    elif data is None and config.data.name == "files":
        data = config.data[_own_name(split)]
    return pathlib.Path(data) if data else None


def eraser_directory(path: pathlib.Path | None) -> pathlib.Path | None:
    """The path, if it is an ERASER directory."""
    return path if path and path.is_dir() and is_eraser(path) else None


def read_rows(
    path: pathlib.Path | None,
    split: str,
    labels: Sequence[str],
    config: Any,
    *,
    need_labels: bool,
) -> Iterator[InputRow]:
    """Rows of a file, of a split of an ERASER directory, or (None) of the run's own data.

    Raises DataError for the file and BadRows, once all rows were looked at, for rows that cannot
    be used: also those without a label if `need_labels`.
    """
    if path is None:
        return _configured(config, split, labels)
    if eraser_directory(path):
        return _eraser(path, split, labels, config)
    return _file(path, _own_name(split), labels, need_labels)


def _own_name(split: str) -> str:
    return "dev" if split == "val" else split


def _configured(config: Any, split: str, labels: Sequence[str]) -> Iterator[InputRow]:
    source = open_split(config.data, _own_name(split), labels)
    for index in range(len(source)):
        record = source[index]
        yield _of_record(record, labels)


def _eraser(
    directory: pathlib.Path, split: str, labels: Sequence[str], config: Any
) -> Iterator[InputRow]:
    # The scorer wants a prediction for every row, with evidence or without.
    reading = dataclasses.replace(reading_of(config.data), without_evidence="keep")
    docids = {row.id: row.docids for row in read_annotations(directory, split)}
    docids = {name: documents_in_order(own, reading.second) for name, own in docids.items()}
    sizes = document_sizes(directory, {docid for own in docids.values() for docid in own})
    source = read_eraser(directory, split, labels, reading)
    for index in range(len(source)):
        record = source[index]
        documents = tuple((docid, sizes[docid].tokens) for docid in docids[record.id])
        yield dataclasses.replace(_of_record(record, labels), documents=documents)


def _of_record(record: Record, labels: Sequence[str]) -> InputRow:
    row = InputRow(record.id, record.tokens, labels[record.label], record.rationale)
    parts = {"second": record.second, "choices": record.choices, "graph": record.graph}
    return dataclasses.replace(row, **parts)


def _file(
    path: pathlib.Path, split: str, labels: Sequence[str], need_labels: bool
) -> Iterator[InputRow]:
    errors: list[DataError] = []
    lines: dict[str, int] = {}
    typed = not file_ending(path).startswith((".csv", ".tsv"))
    stem = path.name.removesuffix(file_ending(path))
    for line, fields in read_raw(path, split):
        try:
            if isinstance(fields, RowProblem):
                raise fields
            row = _parse(fields, line, f"{stem}-{line}", labels, need_labels, typed)
            if (first := lines.setdefault(row.id, line)) != line:
                raise RowProblem(f"id {row.id!r} again (first in line {first})", "make ids unique")
        except (RowProblem, LabelProblem) as bad:
            errors.append(DataError(bad.problem, file=path, line=line, mend=bad.mend))
            continue
        if not errors:  # with any, nothing will be written
            yield row
    if errors:
        raise BadRows(errors)
    if not lines:
        raise DataError("no rows", file=path, mend="check that this is the right file")


def _parse(
    fields: dict[str, Any],
    line: int,
    default_id: str,
    labels: Sequence[str],
    need_labels: bool,
    typed: bool,
) -> InputRow:
    """One row; `typed` files tell the label 1 from "1"."""
    given = fields.get("label") not in (None, "")
    row = parse_row(fields if given or need_labels else fields | {"label": 0}, line, default_id)
    label = row.label
    if not typed and INTEGER.fullmatch(str(label)) and label not in labels:
        label = int(label)
    return InputRow(
        row.id,
        row.tokens,
        labels[label_index(label, labels)] if given else None,
        row.rationale,
        # Of a pair's tokens only some are of the text.
        fields.get("text") if fields.get("tokens") is None and not row.second else None,
        second=row.second,
        choices=row.choices,
        graph=row.graph,
    )
