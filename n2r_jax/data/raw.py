"""Bytes of a JSONL, CSV, TSV, Parquet or NumPy file to raw rows, each with its line."""

from __future__ import annotations

import contextlib
import csv
import gzip
import itertools
import json
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from n2r_jax.data import graph_arrays, graph_rows
from n2r_jax.data.problems import RowProblem
from n2r_jax.data.rows import MARKS, PARTS
from n2r_jax.errors import DataError

FIELDS = (
    *("id", "tokens", "text", "label"),
    *MARKS,
    *itertools.chain(*PARTS.values()),
    *graph_rows.FIELDS,
)
AS_JSON = (*MARKS, "segments", "choices", *graph_rows.FIELDS)
"""Fields that are written as JSON in a cell of a CSV file."""
ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".npz")
PICKLES = (".pkl", ".pickle", ".pt", ".pth")
UNITS = {"tokens", "text", "nodes", "num_nodes"}
"""Columns of which a table has one at least."""

RawRow = tuple[int, dict[str, Any] | RowProblem]
"""A line (from 1; in Parquet the row) and its fields, or what keeps them from being read."""


def read_raw(path: Path, split: str | None = None) -> Iterator[RawRow]:
    """Raw rows of a file of any known ending; DataError where the file itself is unreadable.

    split: of NumPy files, which may hold all splits: the rows of this one alone.
    """
    ending = file_ending(path)
    with file_errors(path):
        if ending == ".npz":
            yield from graph_arrays.read_rows(path, split)
        elif ending == ".parquet":
            yield from _read_parquet(path)
        elif ending.startswith(".jsonl"):
            yield from _read_jsonl(path)
        else:
            yield from _read_csv(path, "\t" if ending.startswith(".tsv") else ",")


@contextlib.contextmanager
def file_errors(path: Path) -> Generator[None, None, None]:
    """Turn what goes wrong in opening or decompressing a file into a DataError."""
    try:
        yield
    except FileNotFoundError:
        raise DataError("no such file", file=path, mend="check the path") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        problem, mend = "the gzip file is damaged or cut short", "fetch or compress it again"
        raise DataError(problem, file=path, mend=mend) from None
    except OSError as error:
        mend = "check the path and your permissions"
        raise DataError(f"cannot be read ({error.strerror})", file=path, mend=mend) from None


def file_ending(path: Path) -> str:
    """The known ending of a file's name; DataError for a directory or any other ending."""
    if path.is_dir():
        raise DataError(
            "this is a directory, not a file",
            file=path,
            mend="name one of its files, or an ERASER directory (train.jsonl and docs/)",
        )
    if path.suffix.lower() in PICKLES:
        raise DataError(
            "a pickle, which may run any code when it is opened, is never read",
            file=path,
            mend="write its arrays as .npz (docs/graphs.md), or JSONL",
        )
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return ending
    raise DataError("unknown kind of file", file=path, mend=f"use one of {', '.join(ENDINGS)}")


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines, from 1, of a plain or gzip file, without a byte order mark."""
    # gzip.open and Path.open differ in their types, not in what a reader of lines sees.
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def parse_json_line(line: bytes) -> dict[str, Any] | RowProblem:
    """The object on a line of a JSONL file."""
    try:
        fields = json.loads(line.decode())
    except UnicodeDecodeError:
        return RowProblem("not valid UTF-8", "save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        return RowProblem(f"not JSON ({error})", "write one JSON object a line")
    if not isinstance(fields, dict):
        kind = type(fields).__name__
        return RowProblem(f"not an object but a {kind}", 'write {"tokens": ..., "label": ...}')
    return fields


def _read_jsonl(path: Path) -> Iterator[RawRow]:
    for number, line in read_lines(path):
        if line.strip():
            yield number, parse_json_line(line)


def _read_csv(path: Path, delimiter: str) -> Iterator[RawRow]:
    """Rows under a header; quotes as in RFC 4180, in TSV too, so a cell may hold line breaks."""
    # Bytes that are not UTF-8 travel as lone surrogates and are refused row by row.
    lines = (line.decode(errors="surrogateescape") for _, line in read_lines(path))
    table = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _next_cells(table)
    if header is None:
        return
    if isinstance(header, RowProblem):
        raise DataError(header.problem, file=path, line=1, mend=header.mend)
    _check_columns(header, path)
    while True:
        line = table.line_num + 1
        if (cells := _next_cells(table)) is None:
            return
        if isinstance(cells, RowProblem):
            yield line, cells
        elif cells:
            yield line, _parse_cells(header, cells)


def _next_cells(table: Any) -> list[str] | RowProblem | None:
    """Cells of the next row, or None at the end."""
    try:
        return next(table, None)
    except csv.Error as error:
        return RowProblem(
            f"not a valid row ({error})", 'put cells with quotes in quotes and double them: ""'
        )


def _check_columns(columns: list[str], path: Path) -> None:
    if len(set(columns)) < len(columns):
        mend = "rename or remove one of them"
        raise DataError("two columns of one name", file=path, mend=mend)
    if "label" not in columns or not UNITS & set(columns):
        raise DataError(
            f"the columns are {', '.join(map(repr, columns))}",
            file=path,
            mend="name them: label and text or tokens; id, rationale, spans if you have them",
        )


def _parse_cells(header: list[str], cells: list[str]) -> dict[str, Any] | RowProblem:
    """Fields of a CSV row: empty cells are absent, tokens split at white space, lists are JSON."""
    if len(cells) != len(header):
        return RowProblem(
            f"{len(cells)} cells under {len(header)} columns",
            "quote cells that hold the delimiter or line breaks",
        )
    fields: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    for name in ("tokens", "second_tokens"):
        if name in fields:
            fields[name] = fields[name].split()
    for name in AS_JSON:
        if name in fields:
            try:
                fields[name] = json.loads(fields[name])
            except (ValueError, RecursionError):
                return RowProblem(f"{name} is not JSON", "write it like [0, 1, 0] or [[0, 2]]")
    return fields


def _read_parquet(path: Path) -> Iterator[RawRow]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            columns = table.schema_arrow.names
            _check_columns(columns, path)
            known = [name for name in columns if name in FIELDS]
            row = 0
            for batch in table.iter_batches(batch_size=1024, columns=known):
                for fields in batch.to_pylist():
                    row += 1
                    yield row, fields
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"not a readable Parquet file ({reason})", file=path, mend="write it again"
        ) from None
