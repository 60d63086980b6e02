"""An ERASER directory: {train,val,test}.jsonl with evidence spans, and docs/ or docs.jsonl.

The rationale is the union of all evidences, as in the benchmark's own scorer. Tokens are counted
as it counts them: split at single spaces, empty tokens kept in docs.jsonl only. A row over several
documents reads them in the order of their ids. `Reading` says what else a row's text is made of.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from n2r_jax.choices import one_of
from n2r_jax.data.eraser_documents import Document, Documents
from n2r_jax.data.files import Scan, collect_rows, resolve_labels
from n2r_jax.data.memory import MemorySource
from n2r_jax.data.rows import Row, RowProblem, mask_of_spans, parse_label, refuse_broken_text
from n2r_jax.errors import DataError

SPLITS = ("train", "val", "test")
CHOICE_SEPARATOR = " [sep] "
PREMISE, HYPOTHESIS = "_premise", "_hypothesis"
"""How e-SNLI's documents end."""
Second = Literal["", "query", "hypothesis", "choices"]
WithoutEvidence = Literal["keep", "unmarked", "drop"]
Alignment = Literal["document", "authors"]

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the rows of a directory are read; UserError for a choice that there is not."""

    second: Second = ""
    """Besides the documents: query (MultiRC, BoolQ) reads it as the second text of a pair, never
    marked; hypothesis (e-SNLI) reads NAME_premise and NAME_hypothesis as a pair; choices (CoS-E)
    takes the query, cut at " [sep] ", as answers to choose from."""
    without_evidence: WithoutEvidence = "keep"
    """A row whose list of evidences is empty: keep takes it as one of which nothing is marked (as
    the official scorer does), unmarked as one that nobody marked; drop leaves it out (UNIREX)."""
    movies_alignment: Alignment = "document"
    """authors: as in UNIREX's release, whose places restart at 0 in every sentence: evidence in a
    later sentence marks the tokens at the same places of the document's beginning. There they are
    places of pieces, here of words."""

    def __post_init__(self):
        for name, offered in (
            ("second", Second),
            ("without_evidence", WithoutEvidence),
            ("movies_alignment", Alignment),
        ):
            one_of(f"config.data.{name}", getattr(self, name), get_args(offered))


AS_IT_STANDS = Reading()


def read_eraser(
    directory: str | os.PathLike[str],
    split: str,
    label_names: Sequence[str] | None = None,
    reading: Reading = AS_IT_STANDS,
) -> MemorySource:
    """Read one split ("train", "val" or "dev", "test"); raises DataError or BadRows."""
    return scan_eraser(directory, split, label_names, reading).usable()


def scan_eraser(
    directory: str | os.PathLike[str],
    split: str,
    label_names: Sequence[str] | None = None,
    reading: Reading = AS_IT_STANDS,
) -> Scan:
    """Read one split and keep its bad rows as errors."""
    path, rows, errors = scan_eraser_rows(directory, split, reading)
    return resolve_labels(path, rows, errors, label_names)


def scan_eraser_rows(
    directory: str | os.PathLike[str], split: str, reading: Reading = AS_IT_STANDS
) -> tuple[Path, list[Row], list[DataError]]:
    """The split's file, its good rows with labels as written, and the errors of the others.

    Rows without evidence are counted in a warning, with what became of them.
    """
    documents = Documents(Path(directory))
    path = Path(directory, ("val" if split == "dev" else split) + ".jsonl")
    if not path.is_file():
        found = ", ".join(splits_of(directory)) or "none"
        mend = f"the directory's splits: {found}"
        raise DataError(f"no {split} split: there is no {path.name}", file=directory, mend=mend)
    bare: set[str] = set()

    def parse(fields: dict[str, Any], line: int) -> Row:
        row = _parse_annotation(fields, line, documents, reading)
        if row.rationale is not None and not any(fields["evidences"]):
            bare.add(row.id)
        return row

    rows, errors = collect_rows(path, parse)
    return path, _without_evidence(path, rows, bare, reading.without_evidence), errors


def _without_evidence(
    path: Path, rows: list[Row], bare: set[str], do: WithoutEvidence
) -> list[Row]:
    """The rows, with those that have no evidence treated as asked; nothing happens in silence."""
    if not bare:
        return rows
    done = {"keep": "kept, with nothing marked", "unmarked": "kept as unmarked", "drop": "dropped"}
    counts = f"{len(bare)} of {len(rows)} rows have no evidence"
    logger.warning("%s: %s: %s (config.data.without_evidence)", path, counts, done[do])
    if do == "drop":
        return [row for row in rows if row.id not in bare]
    if do == "unmarked":
        return [dataclasses.replace(r, rationale=None) if r.id in bare else r for r in rows]
    return rows


def is_eraser(directory: str | os.PathLike[str]) -> bool:
    """Whether a path is a directory with documents and at least one split."""
    directory = Path(directory)
    has_documents = (directory / "docs").is_dir() or (directory / "docs.jsonl").is_file()
    return has_documents and bool(splits_of(directory))


def splits_of(directory: str | os.PathLike[str]) -> tuple[str, ...]:
    """Those of train, val and test that the directory has."""
    return tuple(split for split in SPLITS if Path(directory, f"{split}.jsonl").is_file())


def _parse_annotation(
    fields: dict[str, Any], line: int, documents: Documents, reading: Reading
) -> Row:
    """One annotation as a row of its documents' tokens, joined; raises RowProblem."""
    name = fields.get("annotation_id")
    if not isinstance(name, str) or not name:
        raise RowProblem("no annotation_id", "give every row one, a string")
    evidences = _parse_evidences(fields.get("evidences"))
    tokens: list[str] = []
    rationale: list[int] = []
    docids = documents_in_order(_docids(fields, evidences), reading.second)
    for docid in docids:
        document = documents[docid]
        spans = [evidence[1:] for evidence in evidences or () if evidence[0] == docid]
        tokens += document.tokens
        rationale += _marks(document, spans, docid, reading.movies_alignment)
    if not any(tokens):
        raise RowProblem("its documents are empty", "remove the row or mend the documents")
    second, choices = 0, ()
    if reading.second == "hypothesis":
        second = len(documents[docids[0]].tokens)
    elif reading.second == "query":
        second, query = len(tokens), _query(fields).split()
        tokens += map(sys.intern, query)
        rationale += [0] * len(query)
    elif reading.second == "choices":
        choices = _choices(fields)
    row = Row(
        line=line,
        id=name,
        tokens=tuple(tokens),
        label=parse_label(fields.get("classification")),
        rationale=None if evidences is None else tuple(rationale),
        second=second,
        choices=choices,
    )
    refuse_broken_text(row.id, row.label, *row.tokens, *itertools.chain(*row.choices))
    return row


def documents_in_order(docids: Sequence[str], second: Second) -> list[str]:
    """A row's documents as its tokens follow each other; of e-SNLI premise and hypothesis.

    Either names both: a row may tell only the one that it has evidence in. Raises RowProblem.
    """
    if second != "hypothesis":
        return sorted(set(docids))
    stems = {docid.removesuffix(PREMISE).removesuffix(HYPOTHESIS) for docid in docids}
    if len(stems) > 1:
        mend = f"they must be one NAME{PREMISE} and one NAME{HYPOTHESIS}"
        raise RowProblem(f"its documents are {', '.join(sorted(docids))}", mend)
    return [stem + end for stem in stems for end in (PREMISE, HYPOTHESIS)]


def _marks(
    document: Document, spans: Sequence[tuple[int, int]], docid: str, alignment: Alignment
) -> tuple[int, ...]:
    """A document's marked tokens."""
    length, unit = len(document.tokens), f"tokens of document {docid!r}"
    right = mask_of_spans(spans, length, unit)
    if alignment == "document":
        return right
    place = document.place_in_sentence
    restarted = [(place(start), place(end - 1) + 1) for start, end in spans]
    # A span from one sentence into the next may end before it begins: the release loses it.
    return mask_of_spans([span for span in restarted if span[0] < span[1]], length, unit)


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
    """The row's documents: its docids, or those of its evidences, or its own id."""
    named = {docid for docid, _, _ in evidences or ()}
    docids = fields.get("docids") or list(named) or [fields["annotation_id"]]
    if not isinstance(docids, list) or not all(isinstance(docid, str) for docid in docids):
        raise RowProblem("docids are not strings", "write them as a list of strings")
    if strangers := named - set(docids):
        raise RowProblem(
            f"evidence in {min(strangers)!r}, which is not among the docids", "add it to docids"
        )
    return docids


def _query(fields: dict[str, Any]) -> str:
    query = fields.get("query")
    if not isinstance(query, str) or not query.split():
        raise RowProblem("no query", "give every row a query, or set config.data.second=''")
    return query


def _choices(fields: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    answers = tuple(tuple(answer.split()) for answer in _query(fields).split(CHOICE_SEPARATOR))
    if len(answers) < 2 or not all(answers):
        raise RowProblem("the query is no list of answers", "write ANSWER [sep] ANSWER [sep] ...")
    return answers
