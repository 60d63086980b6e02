"""The Hotel corpus (the R2A archive's files) as a TFDS builder.

Aspects are location, service and cleanliness. Every annotated review also stands in its own train
file: the count of such reviews is kept with the prepared data, and `compare_with_paper` tells it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from n2r_jax.data.records import Record
from n2r_jax.data.rows import RowProblem
from n2r_jax.data.tfds_source import (
    Outcome,
    ReviewBuilder,
    TfdsSource,
    find_file,
    open_split,
    split_spaces,
)

ASPECTS = ("location", "service", "cleanliness")
LABELS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
HEADER = ["task", "label", "text", "rationale"]
EMPTY, SURPLUS = "dropped: no text", "surplus flag cut"


class Hotel(ReviewBuilder, skip_registration=True):
    """Hotel reviews labelled by aspect, 200 of each aspect with the reasons marked."""

    BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name=aspect) for aspect in ASPECTS]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "unpack people.csail.mit.edu/yujia/files/r2a/data.zip there, or put its oracle/hotel_* "
        "files there and its target/hotel_*.train into annotations/"
    )

    def find_files(self, manual_dir: Path) -> dict[str, Path]:
        """Train, dev and annotated file, in either layout; DataError where one is missing."""
        name = f"hotel_{self.builder_config.name.capitalize()}"
        folders = ("", "oracle", "data/oracle")
        marked_folders = ("annotations", "target", "data/target")
        names = {
            "train": [f"{folder}/{name}.train" for folder in folders],
            "dev": [f"{folder}/{name}.dev" for folder in folders],
            "annotated": [f"{folder}/{name}.train" for folder in marked_folders],
        }
        instructions = self.MANUAL_DOWNLOAD_INSTRUCTIONS
        return {
            split: find_file(manual_dir, [n.lstrip("/") for n in names[split]], instructions)
            for split in names
        }

    def parse_line(self, split: str, number: int, line: str) -> Outcome:
        """What becomes of a line, counted from 1; raises RowProblem."""
        columns = HEADER if split == "annotated" else HEADER[:3]
        cells = line.rstrip("\r\n").split("\t")
        if number == 1:
            if cells[: len(columns)] != columns:
                raise RowProblem(f"no header {', '.join(columns)}", "fetch the file again")
            return Outcome(None)
        if len(cells) < len(columns) or cells[1] not in LABELS:
            raise RowProblem(f"not {', '.join(columns)} with label 0 or 1", "fetch the file again")
        if not (tokens := split_spaces(cells[2])):
            return Outcome(None, EMPTY)
        record = Record(f"{split}-{number}", tokens, LABELS[cells[1]])
        return Outcome(record) if split != "annotated" else _mark(record, cells[3])


def open_hotel(
    aspect: str,
    split: str,
    data_dir: str | os.PathLike[str],
    manual_dir: str | os.PathLike[str] | None = None,
) -> TfdsSource:
    """Open "train", "dev" or "annotated" of an aspect.

    Prepared under `data_dir` from the files in `manual_dir` on the first call, and again when they
    change. Raises DataError where a file is missing, BadRows where lines cannot be read.
    """
    return open_split(Hotel, aspect, split, data_dir, manual_dir)


def _mark(record: Record, flags: str) -> Outcome:
    """The record with its rationale; one surplus 0 at the end, as a few rows have, is cut."""
    marks, length = flags.split(), len(record.tokens)
    if set(marks) - {"0", "1"}:
        raise RowProblem("a rationale flag that is not 0 or 1", "fetch the file again")
    surplus = len(marks) == length + 1 and marks[-1] == "0"
    if len(marks) != length and not surplus:
        problem = f"rationale has {len(marks)} flags for {length} tokens"
        raise RowProblem(problem, "write one flag for every token")
    rationale = tuple(map(int, marks[:length]))
    marked = Record(record.id, record.tokens, record.label, rationale)
    return Outcome(marked, SURPLUS if surplus else None)
