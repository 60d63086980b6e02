"""The gold side of an ERASER directory: annotations of a split and the sizes of its documents."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from n2r_jax.data.raw import file_errors, parse_json_line, read_lines
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import BadRows, DataError

FIELDS = {"annotation_id", "query", "evidences", "classification", "query_type", "docids"}
"""All that the official scorer lets a row have: any other field stops it."""


class Evidence(NamedTuple):
    """One marked span; tokens and sentences are half-open, -1 where unknown."""

    docid: str
    start_token: int
    end_token: int
    start_sentence: int
    end_sentence: int


@dataclasses.dataclass(frozen=True)
class Annotation:
    """One row of a split."""

    line: int
    id: str
    label: str
    evidences: tuple[Evidence, ...]
    docids: tuple[str, ...]
    """Documents that the row reads, sorted."""
    unknown: tuple[str, ...] = ()
    """Fields that the official scorer refuses."""


class Size(NamedTuple):
    """How long a document is."""

    tokens: int
    sentences: int


def annotations_path(directory: Path, split: str) -> Path:
    """The file of a split; "dev" is another name of "val"."""
    return directory / (("val" if split == "dev" else split) + ".jsonl")


def read_annotations(directory: Path, split: str) -> list[Annotation]:
    """Read a split; raises DataError for the file, BadRows with all rows that cannot be used."""
    path = annotations_path(directory, split)
    found: list[Annotation] = []
    errors: list[DataError] = []
    lines: dict[str, int] = {}
    with file_errors(path):
        for number, line in read_lines(path):
            if not line.strip():
                continue
            try:
                row = _parse(parse_json_line(line), number)
                if (first := lines.setdefault(row.id, number)) != number:
                    raise RowProblem(
                        f"id {row.id!r} again (first in line {first})", "make ids unique"
                    )
                found.append(row)
            except RowProblem as bad:
                errors.append(DataError(bad.problem, file=path, line=number, mend=bad.mend))
    if errors:
        raise BadRows(errors)
    if not found:
        raise DataError("no rows", file=path, mend="check that this is the right split")
    return found


def _parse(fields: dict[str, Any] | RowProblem, line: int) -> Annotation:
    if isinstance(fields, RowProblem):
        raise fields
    name, label = fields.get("annotation_id"), fields.get("classification")
    if not isinstance(name, str) or not name:
        raise RowProblem("no annotation_id", "give every row one, a string")
    if not isinstance(label, str) or not label:
        raise RowProblem("classification is not a string", "write the label's name")
    evidences = _parse_evidences(fields.get("evidences"))
    docids = fields.get("docids") or [evidence.docid for evidence in evidences] or [name]
    if not isinstance(docids, list) or not all(isinstance(docid, str) for docid in docids):
        raise RowProblem("docids are not strings", "write them as a list of strings")
    unknown = tuple(sorted(fields.keys() - FIELDS))
    return Annotation(line, name, label, evidences, tuple(sorted(set(docids))), unknown)


def _parse_evidences(groups: Any) -> tuple[Evidence, ...]:
    """The evidences of all groups: the scorer takes their union."""
    mend = "write lists of lists of {'docid', 'start_token', 'end_token'}"
    try:
        found = tuple(
            Evidence(
                one["docid"],
                one["start_token"],
                one["end_token"],
                one.get("start_sentence", -1),
                one.get("end_sentence", -1),
            )
            for group in groups
            for one in group
        )
    except (AttributeError, KeyError, TypeError):
        raise RowProblem("evidences cannot be read", mend) from None
    if not all(
        isinstance(docid, str) and all(type(place) is int for place in places)
        for docid, *places in found
    ):
        raise RowProblem("an evidence's docid is no string or its places no integers", mend)
    return found


def document_sizes(directory: Path, docids: Collection[str]) -> dict[str, Size]:
    """Tokens and sentences of the documents asked for, as the official scorer counts them.

    Lines are sentences and single spaces part tokens. Files in docs/ lose their empty lines and
    tokens, docs.jsonl keeps both. A document that is nowhere is left out of the answer. Raises
    DataError where the directory has neither, or both, of docs/ and docs.jsonl.
    """
    folder, listing = directory / "docs", directory / "docs.jsonl"
    if not directory.is_dir():
        raise DataError("no such directory", file=directory, mend="check the path")
    if folder.is_dir() == listing.is_file():
        found = "both docs/ and" if listing.is_file() else "neither docs/ nor"
        mend = "ERASER keeps its documents in one"
        raise DataError(f"{found} docs.jsonl", file=directory, mend=mend)
    return _listed(listing, set(docids)) if listing.is_file() else _filed(folder, set(docids))


def _filed(folder: Path, docids: set[str]) -> dict[str, Size]:
    # Only listed names are opened: an id like ../../x must not lead out of the folder.
    sizes = {}
    for name in docids & set(os.listdir(folder)):
        path = folder / name
        try:
            with file_errors(path):
                lines = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            raise DataError("not UTF-8", file=path, mend="save it as UTF-8") from None
        counts = [sum(map(bool, line.strip().split(" "))) for line in lines]
        sizes[name] = Size(sum(counts), sum(map(bool, counts)))
    return sizes


def _listed(path: Path, docids: set[str]) -> dict[str, Size]:
    sizes = {}
    with file_errors(path):
        for number, line in read_lines(path):
            if not line.strip():
                continue
            fields = parse_json_line(line)
            if isinstance(fields, RowProblem):
                raise DataError(fields.problem, file=path, line=number, mend=fields.mend)
            docid, text = fields.get("docid"), fields.get("document")
            if not isinstance(docid, str) or not isinstance(text, str):
                mend = "write {'docid': ..., 'document': ...}, both strings"
                raise DataError("no docid or no document", file=path, line=number, mend=mend)
            if docid in docids:
                lines = text.split("\n")
                tokens = sum(len(sentence.strip().split(" ")) for sentence in lines)
                sizes[docid] = Size(tokens, len(lines))
    return sizes
