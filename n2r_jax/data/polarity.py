"""Yelp's and Amazon's polarity reviews (Zhang et al. 2015), and the part of them that is read.

A row of the CSV files, which have no header, is 1 or 2 and the text; Amazon's have a title between
these, which is read as the first text of a pair (UNIREX joins them by its [SEP]). There is no dev
file: it is a part of train. UNIREX's paper draws by label, its release takes the files' heads.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Int, Int64

from n2r_jax.choices import one_of
from n2r_jax.data.public_rows import FoundRow
from n2r_jax.data.raw import file_errors, read_lines
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import DataError, UserError

PolaritySampling = Literal["stratified", "head"]
LARGEST_CELL = 2**24
"""Characters; csv's own limit is below the longest reviews."""


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which rows are read. Raises UserError for sizes below 1 and an unknown way."""

    sizes: tuple[int, int, int]
    """Of train, dev and test."""
    way: PolaritySampling = "stratified"
    """stratified: as many of each label as in the file, drawn by `seed`; head: the first ones."""
    seed: int = 0

    def __post_init__(self):
        one_of("config.data.polarity_sampling", self.way, get_args(PolaritySampling))
        if not all(size > 0 for size in self.sizes):
            raise UserError(
                f"config.data.sizes is {self.sizes}; say how many reviews train, dev and test are "
                "of, like 10000,2000,2000"
            )

    def places(self, labels: Int[np.ndarray, " n"], split: str) -> Int64[np.ndarray, " k"]:
        """The rows of a split, of a file's labels: dev comes behind train, or from what it left."""
        train, dev, test = self.sizes
        first, count = {"train": (0, train), "dev": (train, dev), "test": (0, test)}[split]
        if first + count > len(labels):
            raise UserError(
                f"config.data.sizes asks for {first + count} reviews of a file that has "
                f"{len(labels)}; lower it"
            )
        if self.way == "head":
            return np.arange(first, first + count)
        parts = stratified(labels, (train, dev) if split != "test" else (test,), self.seed)
        return parts[1 if split == "dev" else 0]


def stratified(
    labels: Int[np.ndarray, " n"], sizes: Sequence[int], seed: int
) -> list[Int64[np.ndarray, " k"]]:
    """Places of disjoint samples with the labels' shares, each ascending, drawn by `seed`.

    Sizes that the shares do not divide go to the labels with the largest remainders.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    kinds = np.unique(labels)
    queues = [order[labels[order] == kind] for kind in kinds]
    samples = []
    for size in sizes:
        left = np.array([len(queue) for queue in queues])
        exact = size * left / left.sum()
        quota = np.floor(exact).astype(int)
        rest = np.argsort(quota - exact, kind="stable")[: size - quota.sum()]
        quota[rest] += 1
        samples.append(np.sort(np.concatenate([q[:n] for q, n in zip(queues, quota, strict=True)])))
        queues = [queue[n:] for queue, n in zip(queues, quota, strict=True)]
    return samples


def polarity_rows(files: list[Path], split: str, sampling: Any) -> Iterator[FoundRow]:
    """The sampled rows of a file; it is read twice, so that only these are ever cut."""
    (path,) = files
    labels, wrong = [], []
    for line, cells in _read(path):
        labels.append(int(cells[0]) if len(cells) in (2, 3) and cells[0] in ("1", "2") else 0)
        if not labels[-1]:
            wrong.append(line)
    if wrong:
        problem, mend = "not a row of 1 or 2, (title,) text", "fetch the file again"
        raise DataError(problem, file=path, line=wrong[0], mend=mend)
    chosen = set(sampling.places(np.asarray(labels), split).tolist())
    for place, (line, cells) in enumerate(_read(path)):
        if place in chosen:
            yield line, _fields(cells)


def _fields(cells: Sequence[str]) -> dict[str, Any] | RowProblem:
    label, *texts = cells
    # Line breaks are written as backslash and n.
    texts = [text.replace("\\n", "\n") for text in texts]
    shown = [text for text in texts if text.strip()]
    if not shown:
        return RowProblem("text is empty", "remove the row")
    fields = {"text": shown[0], "label": int(label) - 1}
    return fields | {"second": shown[1]} if len(shown) == 2 else fields


def _read(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines and cells."""
    with file_errors(path):
        before = csv.field_size_limit(LARGEST_CELL)
        try:
            lines = (line.decode(errors="replace") for _, line in read_lines(path))
            table = csv.reader(lines)
            for cells in table:
                if cells:
                    yield table.line_num, cells
        except csv.Error as error:
            problem = f"not a CSV file ({error})"
            raise DataError(problem, file=path, mend="fetch it again") from None
        finally:
            csv.field_size_limit(before)
