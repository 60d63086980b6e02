"""An ERASER directory: {train,val,test}.jsonl with evidence spans, and docs/ or docs.jsonl.

The rationale is the union of all evidences, as in the benchmark's own scorer. Tokens are counted
as it counts them: split at single spaces, empty tokens kept in docs.jsonl only. A row over several
documents reads them in the order of their ids.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from n2r_jax.data.files import Scan, collect_rows, resolve_labels
from n2r_jax.data.memory import MemorySource
from n2r_jax.data.raw import parse_json_line, read_lines
from n2r_jax.data.rows import Row, RowProblem, mask_of_spans, parse_label, refuse_broken_text
from n2r_jax.errors import DataError

SPLITS = ("train", "val", "test")
SEPARATOR = "[SEP]"


def read_eraser(
    directory: str | os.PathLike[str],
    split: str,
    label_names: Sequence[str] | None = None,
    *,
    include_query: bool = False,
) -> MemorySource:
    """Read one split ("train", "val" or "dev", "test"); raises DataError or BadRows.

    `include_query` puts the query's tokens and "[SEP]" before the documents, never marked.
    """
    return scan_eraser(directory, split, label_names, include_query=include_query).usable()


def scan_eraser(
    directory: str | os.PathLike[str],
    split: str,
    label_names: Sequence[str] | None = None,
    *,
    include_query: bool = False,
) -> Scan:
    """Read one split and keep its bad rows as errors."""
    path, rows, errors = scan_eraser_rows(directory, split, include_query=include_query)
    return resolve_labels(path, rows, errors, label_names)


def scan_eraser_rows(
    directory: str | os.PathLike[str], split: str, *, include_query: bool = False
) -> tuple[Path, list[Row], list[DataError]]:
    """The split's file, its good rows with labels as written, and the errors of the others."""
    documents = Documents(Path(directory))
    path = Path(directory, ("val" if split == "dev" else split) + ".jsonl")
    rows, errors = collect_rows(
        path, lambda fields, line: _parse_annotation(fields, line, documents, include_query)
    )
    return path, rows, errors


def is_eraser(directory: str | os.PathLike[str]) -> bool:
    """Whether a path is a directory with documents and at least one split."""
    directory = Path(directory)
    has_documents = (directory / "docs").is_dir() or (directory / "docs.jsonl").is_file()
    return has_documents and bool(splits_of(directory))


def splits_of(directory: str | os.PathLike[str]) -> tuple[str, ...]:
    """Those of train, val and test that the directory has."""
    return tuple(split for split in SPLITS if Path(directory, f"{split}.jsonl").is_file())


class Documents:
    """Tokens of the directory's documents by docid, read when first asked for."""

    def __init__(self, directory: Path):
        """Find docs/ or docs.jsonl; raises DataError where there is neither, or both."""
        self._folder = directory / "docs"
        listing = directory / "docs.jsonl"
        if not directory.is_dir():
            raise DataError("no such directory", file=directory, mend="check the path")
        if self._folder.is_dir() == listing.is_file():
            found = "both docs/ and" if listing.is_file() else "neither docs/ nor"
            raise DataError(
                f"{found} docs.jsonl", file=directory, mend="ERASER keeps its documents in one"
            )
        self._tokens = _read_listing(listing) if listing.is_file() else {}
        # Only listed names are opened: an id like ../../x must not lead out of the folder.
        self._names = set(os.listdir(self._folder)) if self._folder.is_dir() else set()

    def __getitem__(self, docid: str) -> tuple[str, ...]:
        if docid not in self._tokens:
            if docid not in self._names:
                raise RowProblem(f"no document {docid!r}", "add it to docs/ or docs.jsonl")
            self._tokens[docid] = self._read(docid)
        return self._tokens[docid]

    def _read(self, docid: str) -> tuple[str, ...]:
        try:
            lines = (self._folder / docid).read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            raise RowProblem(f"document {docid!r} is not UTF-8", "save it as UTF-8") from None
        except OSError as error:
            problem = f"document {docid!r} cannot be read ({error.strerror})"
            raise RowProblem(problem, "make it a readable text file") from None
        tokens = (token for line in lines for token in line.strip().split(" "))
        return tuple(sys.intern(token) for token in tokens if token)


def _read_listing(path: Path) -> dict[str, tuple[str, ...]]:
    documents = {}
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
        tokens = (token for sentence in text.split("\n") for token in sentence.strip().split(" "))
        documents[docid] = tuple(map(sys.intern, tokens))
    return documents


def _parse_annotation(
    fields: dict[str, Any], line: int, documents: Documents, include_query: bool
) -> Row:
    """One annotation as a row of its documents' tokens, joined; raises RowProblem."""
    name = fields.get("annotation_id")
    if not isinstance(name, str) or not name:
        raise RowProblem("no annotation_id", "give every row one, a string")
    evidences = _parse_evidences(fields.get("evidences"))
    tokens = _query_tokens(fields) if include_query else []
    rationale = [0] * len(tokens)
    docids = _docids(fields, evidences)
    for docid in docids:
        document = documents[docid]
        spans = [evidence[1:] for evidence in evidences or () if evidence[0] == docid]
        tokens += document
        rationale += mask_of_spans(spans, len(document), f"tokens of document {docid!r}")
    if not any(documents[docid] != ("",) and documents[docid] for docid in docids):
        raise RowProblem("its documents are empty", "remove the row or mend the documents")
    row = Row(
        line=line,
        id=name,
        tokens=tuple(tokens),
        label=parse_label(fields.get("classification")),
        rationale=None if evidences is None else tuple(rationale),
    )
    refuse_broken_text(row.id, row.label, *row.tokens)
    return row


def _parse_evidences(groups: object) -> list[tuple[str, int, int]] | None:
    """(docid, start, end) of every evidence of every group; None where the row has no field."""
    if groups is None:
        return None
    mend = "write lists of lists of {'docid', 'start_token', 'end_token'}"
    try:
        evidences = [evidence for group in groups for evidence in group]  # type: ignore
        found = [(e["docid"], e["start_token"], e["end_token"]) for e in evidences]
    except (KeyError, TypeError):
        raise RowProblem("evidences cannot be read", mend) from None
    if not all(isinstance(docid, str) for docid, _, _ in found):
        raise RowProblem("an evidence's docid is not a string", mend)
    return found


def _docids(fields: dict[str, Any], evidences: list[tuple[str, int, int]] | None) -> list[str]:
    """The row's documents, sorted: its docids, or those of its evidences, or its own id."""
    named = {docid for docid, _, _ in evidences or ()}
    docids = fields.get("docids") or list(named) or [fields["annotation_id"]]
    if not isinstance(docids, list) or not all(isinstance(docid, str) for docid in docids):
        raise RowProblem("docids are not strings", "write them as a list of strings")
    if strangers := named - set(docids):
        raise RowProblem(
            f"evidence in {min(strangers)!r}, which is not among the docids", "add it to docids"
        )
    return sorted(set(docids))


def _query_tokens(fields: dict[str, Any]) -> list[str]:
    query = fields.get("query")
    if not isinstance(query, str) or not query.split():
        raise RowProblem("no query", "give every row a query, or read without include_query")
    return [*map(sys.intern, query.split()), SEPARATOR]
