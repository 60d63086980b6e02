"""The documents of an ERASER directory: docs/, a file each, or docs.jsonl.

A line is a sentence. Empty tokens are kept in docs.jsonl only, as the benchmark's scorer does.
"""

from __future__ import annotations

import bisect
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from n2r_jax.data.raw import parse_json_line, read_lines
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import DataError


class Document(NamedTuple):
    """A document's tokens, and where each of its sentences begins."""

    tokens: tuple[str, ...]
    starts: tuple[int, ...]

    @classmethod
    def of_sentences(cls, sentences: Iterable[Sequence[str]]) -> Document:
        """Join sentences; those without a token are none."""
        tokens: list[str] = []
        starts: list[int] = []
        for sentence in sentences:
            starts += [len(tokens)] if sentence else []
            tokens += map(sys.intern, sentence)
        return cls(tuple(tokens), tuple(starts))

    def place_in_sentence(self, token: int) -> int:
        """Place of a token, counted from its sentence's first."""
        return token - self.starts[bisect.bisect(self.starts, token) - 1]


class Documents:
    """The directory's documents by docid, read when first asked for."""

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
        self._read_already = _read_listing(listing) if listing.is_file() else {}
        # Only listed names are opened: an id like ../../x must not lead out of the folder.
        self._names = set(os.listdir(self._folder)) if self._folder.is_dir() else set()

    def __getitem__(self, docid: str) -> Document:
        if docid not in self._read_already:
            if docid not in self._names:
                raise RowProblem(f"no document {docid!r}", "add it to docs/ or docs.jsonl")
            self._read_already[docid] = self._read(docid)
        return self._read_already[docid]

    def _read(self, docid: str) -> Document:
        try:
            lines = (self._folder / docid).read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            raise RowProblem(f"document {docid!r} is not UTF-8", "save it as UTF-8") from None
        except OSError as error:
            problem = f"document {docid!r} cannot be read ({error.strerror})"
            raise RowProblem(problem, "make it a readable text file") from None
        sentences = ([t for t in line.strip().split(" ") if t] for line in lines)
        return Document.of_sentences(sentences)


def _read_listing(path: Path) -> dict[str, Document]:
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
        sentences = (sentence.strip().split(" ") for sentence in text.split("\n"))
        documents[docid] = Document.of_sentences(sentences)
    return documents
