"""UNIREX's data sets in the files that their makers hand out, a folder each.

    sst         train.json, dev.json, test.json     text, rationale, classification (Carton et al.)
    polarity    train.csv, test.csv                 Yelp's and Amazon's reviews (`polarity`)
    stormfront  train.tsv, dev.tsv, test.tsv        anything, text, 0 or 1
    tweet_eval  train_text.txt, train_labels.txt    a tweet a line; also val_ and test_ (offensive,
                                                    irony)
    hatexplain  dataset.json, post_id_divisions.json

A row that cannot be read is told with its line and keeps the others from being used, like a row of
a user's own file.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from n2r_jax.data.files import Scan, resolve_labels
from n2r_jax.data.hatexplain import hatexplain_rows
from n2r_jax.data.memory import MemorySource
from n2r_jax.data.polarity import Sampling, polarity_rows
from n2r_jax.data.public_rows import (
    FoundRow,
    names,
    sst_rows,
    stormfront_rows,
    tweet_eval_rows,
)
from n2r_jax.data.rows import Row, RowProblem, parse_row
from n2r_jax.errors import DataError

FileNames = Callable[[str], tuple[str, ...]]
"""(split: train, dev or test) -> the files that it is read from."""


@dataclasses.dataclass(frozen=True)
class PublicFormat:
    """What a folder holds, and how its rows are read."""

    labels: tuple[str, ...]
    """In UNIREX's order."""
    files: FileNames
    rows: Callable[[list[Path], str, Any], Iterator[FoundRow]]
    """(files, split, sampling) -> (line, fields as in a user's file, or what is wrong)."""


FORMATS = {
    "sst": PublicFormat(("neg", "pos"), names("{}.json"), sst_rows),
    "polarity": PublicFormat(
        ("negative", "positive"),
        lambda split: ("test.csv" if split == "test" else "train.csv",),
        polarity_rows,
    ),
    "stormfront": PublicFormat(("not_hate", "hate"), names("{}.tsv"), stormfront_rows),
    "tweet_eval": PublicFormat(
        ("0", "1"), names("{}_text.txt", "{}_labels.txt", dev="val"), tweet_eval_rows
    ),
    "hatexplain": PublicFormat(
        ("normal", "offensive", "hatespeech"),
        lambda split: ("dataset.json", "post_id_divisions.json"),
        hatexplain_rows,
    ),
}


def public_files(name: str, directory: str | os.PathLike[str], split: str) -> list[Path]:
    """The files of a split; DataError where the folder has not got them."""
    folder = Path(directory)
    if not folder.is_dir():
        raise DataError("no such directory", file=folder, mend="check the path")
    files = [folder / file for file in FORMATS[name].files(split)]
    for path in files:
        if not path.is_file():
            mend = f"put it there; the {split} split of {name} is read from it"
            raise DataError(f"no {split} split: there is no {path.name}", file=folder, mend=mend)
    return files


def read_public(
    name: str,
    directory: str | os.PathLike[str],
    split: str,
    label_names: Sequence[str] | None = None,
    sampling: Sampling | None = None,
) -> MemorySource:
    """Read 'train', 'dev' or 'test' of a format of `FORMATS`; raises DataError or BadRows.

    sampling: how many rows of polarity's files, and which.
    """
    form, files = FORMATS[name], public_files(name, directory, split)
    rows: list[Row] = []
    errors: list[DataError] = []
    for line, fields in form.rows(files, split, sampling):
        try:
            if isinstance(fields, RowProblem):
                raise fields
            rows.append(parse_row(fields, line, f"{name}-{split}-{line}"))
        except RowProblem as bad:
            errors.append(DataError(bad.problem, file=files[0], line=line, mend=bad.mend))
    scan: Scan = resolve_labels(files[0], rows, errors, label_names or form.labels)
    return scan.usable()
