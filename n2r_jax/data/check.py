"""What is in these files, and may they be used together? The report behind `n2r data check`.

Two texts count as the same when their tokens, lower-cased and written without spaces, are equal:
so a text is found again in a file that was cut into tokens differently. Graphs are compared
whatever the order of their nodes (`graph_key`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import pathlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from n2r_jax.data import graph_arrays
from n2r_jax.data.eraser import (
    AS_IT_STANDS,
    Reading,
    Second,
    is_eraser,
    scan_eraser_rows,
    splits_of,
)
from n2r_jax.data.files import Scan, names_of, resolve_labels, scan_rows
from n2r_jax.data.graph_key import graph_key
from n2r_jax.data.graph_rows import undirected
from n2r_jax.data.labels import LabelProblem
from n2r_jax.data.records import Record
from n2r_jax.data.rows import Row
from n2r_jax.errors import DataError

PERCENTILES = (5, 25, 50, 75, 95, 99, 100)


@dataclasses.dataclass(frozen=True)
class FileReport:
    """What one file holds, counted over its good rows."""

    file: str
    texts: int
    labels: dict[str, int]
    lengths: tuple[int, ...]
    """Tokens of a text at each of PERCENTILES; empty when there are no texts."""
    marked: int
    """Texts with a rationale, which may be empty."""
    gold_share: float
    """Mean over the marked texts of the share of their tokens in the rationale."""
    duplicates: int
    """Texts that stand earlier in the same file."""
    pairs: int
    """Texts that are two."""
    choices: int
    """Answers of every question, 0 if there are no questions."""
    errors: tuple[DataError, ...]
    edges: float | None = None
    """Of graphs: mean number of edges, one that goes both ways counted as one."""


@dataclasses.dataclass(frozen=True)
class Report:
    """All files, and for every pair that shares texts how many distinct ones."""

    files: tuple[FileReport, ...]
    shared: dict[tuple[str, str], int]

    @property
    def errors(self) -> tuple[DataError, ...]:
        """Bad rows and unreadable files, in the order of the files."""
        return tuple(error for file in self.files for error in file.errors)


def run(
    paths: Sequence[str | os.PathLike[str]], allow_shared: bool = False, second: Second = ""
) -> int:
    """Print the report. 0: all well; 1: files share texts (unless allowed); 2: bad rows."""
    report = check_files(paths, Reading(second))
    print(render(report))
    if report.errors:
        return 2
    return 1 if report.shared and not allow_shared else 0


def check_files(paths: Sequence[str | os.PathLike[str]], reading: Reading = AS_IT_STANDS) -> Report:
    """Read files and ERASER directories (as `reading` says) as one label set, compare them all."""
    scans = _resolve([scanned for path in paths for scanned in _scan_path(path, reading)])
    texts = [Counter(map(_text_key, scan.source)) for scan in scans]
    files = tuple(_describe(scan, found) for scan, found in zip(scans, texts, strict=True))
    shared = {}
    for first, second in itertools.combinations(range(len(scans)), 2):
        if both := len(texts[first].keys() & texts[second].keys()):
            shared[scans[first].file, scans[second].file] = both
    return Report(files, shared)


def render(report: Report) -> str:
    """The report as plain text: a block for each file, shared texts, then one line a bad row."""
    blocks = [_render_file(file) for file in report.files]
    if len(report.files) > 1:
        what = "text" if all(file.edges is None for file in report.files) else "graph"
        shared = [
            f"{first} and {second} share {_count(both, what)}"
            for (first, second), both in report.shared.items()
        ]
        blocks.append("\n".join(shared) or f"no {what}s are shared between files")
    if report.errors:
        lines = [f"{_count(len(report.errors), 'error')}:", *map(str, report.errors)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


@dataclasses.dataclass(frozen=True)
class _Scanned:
    """A file before its labels are resolved."""

    file: str
    rows: list[Row]
    errors: list[DataError]


def _scan_path(path: str | os.PathLike[str], reading: Reading) -> list[_Scanned]:
    """One file, or each split of an ERASER directory; unreadable ones become an error."""
    try:
        if not is_eraser(path):
            return _scan_file(os.fspath(path))
        splits = [scan_eraser_rows(path, split, reading) for split in splits_of(path)]
        return [_Scanned(os.fspath(file), rows, errors) for file, rows, errors in splits]
    except DataError as error:
        return [_Scanned(os.fspath(path), [], [error])]


def _scan_file(path: str) -> list[_Scanned]:
    """One file, or each of the splits that a NumPy file holds."""
    splits = graph_arrays.splits_of(pathlib.Path(path)) if path.endswith(".npz") else []
    if not splits:
        return [_Scanned(path, *scan_rows(path))]
    return [_Scanned(f"{path} ({split})", *scan_rows(path, split=split)) for split in splits]


def _resolve(scanned: Sequence[_Scanned]) -> list[Scan]:
    """Scans with the labels of all files together: a small test set may lack one of them."""
    try:
        names = names_of(row for file in scanned for row in file.rows)
    except LabelProblem:
        names = None  # let each file say so for itself
    return [resolve_labels(file.file, file.rows, file.errors, names) for file in scanned]


def _describe(scan: Scan, texts: Counter[bytes]) -> FileReport:
    source = scan.source
    lengths = [len(record.tokens) for record in source]
    labels = Counter(source.label_names[record.label] for record in source)
    shares = [sum(record.rationale) / len(record.tokens) for record in source if record.rationale]
    return FileReport(
        file=scan.file,
        texts=len(source),
        labels={name: labels[name] for name in source.label_names if labels[name]},
        lengths=tuple(map(round, np.percentile(lengths, PERCENTILES))) if lengths else (),
        marked=len(shares),
        gold_share=sum(shares) / len(shares) if shares else 0.0,
        duplicates=len(source) - len(texts),
        pairs=sum(record.second > 0 for record in source),
        choices=len(source[0].choices) if len(source) else 0,
        errors=scan.errors,
        edges=_mean_edges(source),
    )


def _mean_edges(source: Iterable[Record]) -> float | None:
    counts = [len(undirected(own.graph.edges)) for own in source if own.graph is not None]
    return sum(counts) / len(counts) if counts else None


def _text_key(record: Record) -> bytes:
    """A digest, so that the texts of many large files fit in memory at once."""
    if record.graph is not None:
        return graph_key(record.tokens, record.graph)
    text = "".join(itertools.chain(record.tokens, *record.choices))
    return hashlib.blake2b(text.lower().encode(), digest_size=16).digest()


def _render_file(file: FileReport) -> str:
    what, unit = ("text", "token") if file.edges is None else ("graph", "node")
    lines = [f"{file.file}: {_count(file.texts, what)}"]
    if file.texts:
        labels = (f"{name} {n} ({n / file.texts:.1%})" for name, n in file.labels.items())
        names = [*(f"{percent}%" for percent in PERCENTILES[:-1]), "max"]
        lengths = (f"{name} {n}" for name, n in zip(names, file.lengths, strict=True))
        lines.append("  labels      " + ", ".join(labels))
        lines.append(f"  {unit + 's':12}" + ", ".join(lengths))
        if file.edges is not None:
            lines.append(f"  edges       mean {file.edges:.1f}, each way counted once")
        gold = f", mean {file.gold_share:.1%} of their {unit}s" if file.marked else ""
        lines.append(f"  rationales  {file.marked} ({file.marked / file.texts:.1%}){gold}")
        lines.append(f"  duplicates  {file.duplicates}")
    if file.pairs:
        lines.append(f"  pairs       {file.pairs} ({file.pairs / file.texts:.1%})")
    if file.choices:
        lines.append(f"  choices     {file.choices} answers to each question")
    if file.errors:
        lines.append(f"  errors      {len(file.errors)}")
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
