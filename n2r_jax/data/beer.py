"""The Beer corpus (Lei et al.'s files) as a TFDS builder; aspects appearance, aroma, palate.

Scores run from 0 to 1: at most 0.4 is negative, at least 0.6 positive, between is dropped. Nothing
is balanced here. The corpus was withdrawn by its owner, so users bring their own copy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from n2r_jax.data.raw import parse_json_line
from n2r_jax.data.records import Record
from n2r_jax.data.rows import RowProblem, check_tokens, mask_of_spans
from n2r_jax.data.tfds_source import (
    Outcome,
    ReviewBuilder,
    TfdsSource,
    find_file,
    open_split,
    split_spaces,
)

ASPECTS = ("appearance", "aroma", "palate")
NEGATIVE_UP_TO, POSITIVE_FROM = 0.4, 0.6
SCORES = 5
BETWEEN, EMPTY, UNMARKED = "dropped: score between", "dropped: no text", "dropped: no span"


class Beer(ReviewBuilder, skip_registration=True):
    """Beer reviews scored by aspect, 994 of them with the reasons marked."""

    BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name=aspect) for aspect in ASPECTS]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "put your copy of reviews.aspect{0,1,2}.{train,heldout}.txt.gz and annotations.json "
        "there (once at people.csail.mit.edu/taolei/beer; the owner withdrew it)"
    )

    def find_files(self, manual_dir: Path) -> dict[str, Path]:
        """Train, heldout (here dev) and annotations; raises DataError where one is missing."""
        stem = f"reviews.aspect{ASPECTS.index(self.builder_config.name)}"
        names = {
            "train": (f"{stem}.train.txt.gz", f"{stem}.train.txt"),
            "dev": (f"{stem}.heldout.txt.gz", f"{stem}.heldout.txt"),
            "annotated": ("annotations.json", "annotations.json.gz"),
        }
        instructions = self.MANUAL_DOWNLOAD_INSTRUCTIONS
        return {s: find_file(manual_dir, names[s], instructions) for s in names}

    def parse_line(self, split: str, number: int, line: str) -> Outcome:
        """What becomes of a line, counted from 1; raises RowProblem."""
        aspect = ASPECTS.index(self.builder_config.name)
        parse = _parse_annotation if split == "annotated" else _parse_review
        return parse(line, aspect, f"{split}-{number}")


def open_beer(
    aspect: str,
    split: str,
    data_dir: str | os.PathLike[str],
    manual_dir: str | os.PathLike[str] | None = None,
) -> TfdsSource:
    """Open "train", "dev" (the heldout file) or "annotated" of an aspect.

    Prepared under `data_dir` from the files in `manual_dir` on the first call, and again when they
    change. Raises DataError where a file is missing, BadRows where lines cannot be read.
    """
    return open_split(Beer, aspect, split, data_dir, manual_dir)


def _parse_review(line: str, aspect: int, name: str) -> Outcome:
    """A line of five scores, a tab and the text."""
    head, tab, text = line.partition("\t")
    try:
        scores = [float(score) for score in head.split()]
    except ValueError:
        scores = []
    if not tab or len(scores) != SCORES:
        raise RowProblem("not five scores, a tab and a text", "fetch the file again")
    if not (tokens := split_spaces(text)):
        return Outcome(None, EMPTY)
    label = _label(scores[aspect])
    return Outcome(None, BETWEEN) if label is None else Outcome(Record(name, tokens, label))


def _parse_annotation(line: str, aspect: int, name: str) -> Outcome:
    """A JSON object: tokens x, five scores y, spans of every aspect under "0" to "4"."""
    fields = parse_json_line(line.encode())
    if isinstance(fields, RowProblem):
        raise fields
    scores = fields.get("y")
    numbers = [y for y in scores if type(y) in (int, float)] if isinstance(scores, list) else []
    if len(numbers) != SCORES:
        raise RowProblem("y is not a list of five scores", "fetch the file again")
    tokens = check_tokens(fields.get("x"))
    if any(" " in token for token in tokens):
        raise RowProblem("a token with a space in it", "fetch the file again")
    if not (spans := fields.get(str(aspect))):
        return Outcome(None, UNMARKED)
    label = _label(numbers[aspect])
    if label is None:
        return Outcome(None, BETWEEN)
    return Outcome(Record(name, tokens, label, mask_of_spans(spans, len(tokens))))


def _label(score: float) -> int | None:
    if score <= NEGATIVE_UP_TO:
        return 0
    return 1 if score >= POSITIVE_FROM else None
