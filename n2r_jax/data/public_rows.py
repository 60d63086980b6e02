"""Rows of SST, Stormfront and tweet_eval as fields of a user's row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from n2r_jax.data.raw import file_errors, parse_json_line, read_lines
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import DataError

FoundRow = tuple[int, dict[str, Any] | RowProblem]
"""A line, from 1, or an item's number; and the fields of its row, or what is wrong with it."""
SST_THRESHOLD = 0.5
"""From here on a word of SST counts as marked."""


def names(*patterns: str, dev: str = "dev") -> Callable[[str], tuple[str, ...]]:
    """File names with the split's in it, of which the dev split's may be another."""
    return lambda split: tuple(p.format(dev if split == "dev" else split) for p in patterns)


def read_json(path: Path) -> Any:
    """A whole JSON file; raises DataError."""
    with file_errors(path):
        content = path.read_bytes()
    try:
        return json.loads(content.decode("utf-8-sig"))
    except ValueError as error:  # not JSON, or not UTF-8
        mend = "fetch it again"
        raise DataError(f"not a JSON file ({error})", file=path, mend=mend) from None


def sst_rows(files: list[Path], split: str, sampling: Any) -> Iterator[FoundRow]:
    """Carton et al.'s SST: a list of objects, or one a line; words are split at white space."""
    (path,) = files
    with file_errors(path):
        start = next((line.lstrip()[:1] for _, line in read_lines(path) if line.strip()), b"")
    items: Iterator[tuple[int, Any]]
    if start == b"[":
        items = enumerate(read_json(path), start=1)
    else:
        items = ((n, parse_json_line(line)) for n, line in read_lines(path) if line.strip())
    for number, item in items:
        yield number, item if isinstance(item, RowProblem) else _sst_fields(item)


def _sst_fields(item: Any) -> dict[str, Any] | RowProblem:
    try:
        words, values = item["text"].split(), [float(value) for value in item["rationale"]]
        label = item["classification"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return RowProblem("not an item of SST", "it needs text, rationale and classification")
    if len(values) == len(words) - 1:
        values.append(0.0)  # three items of train are one short
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, str) and label.isdigit():
        label = int(label)
    marks = [int(value >= SST_THRESHOLD) for value in values]
    return {"tokens": words, "label": label, "rationale": marks}


def stormfront_rows(files: list[Path], split: str, sampling: Any) -> Iterator[FoundRow]:
    """Three columns without a header: anything, the text, 0 or 1."""
    (path,) = files
    with file_errors(path):
        for number, line in read_lines(path):
            text = _decoded(line)
            if isinstance(text, RowProblem):
                yield number, text
                continue
            cells = text.split("\t")
            if len(cells) != 3 or cells[2].strip() not in ("0", "1"):
                yield (
                    number,
                    RowProblem("not three columns", "write NAME, TEXT and 0 or 1, by tabs"),
                )
                continue
            yield number, {"text": cells[1], "label": int(cells[2])}


def tweet_eval_rows(files: list[Path], split: str, sampling: Any) -> Iterator[FoundRow]:
    """A tweet a line, and its label in the same line of the other file."""
    tweets, labels = ([_decoded(line) for _, line in _lines(path)] for path in files)
    if len(tweets) != len(labels):
        problem = f"{len(tweets)} tweets and {len(labels)} labels"
        raise DataError(problem, file=files[0], mend=f"fetch it and {files[1].name} again")
    for number, (tweet, label) in enumerate(zip(tweets, labels, strict=True), start=1):
        if isinstance(tweet, RowProblem):
            yield number, tweet
        elif isinstance(label, RowProblem) or not label.strip().isdigit():
            yield number, RowProblem(f"label {label!r} is no number", "write 0 or 1 in each line")
        else:
            yield number, {"text": tweet, "label": int(label)}


def _lines(path: Path) -> list[tuple[int, bytes]]:
    with file_errors(path):
        return list(read_lines(path))


def _decoded(line: bytes) -> str | RowProblem:
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return RowProblem("not valid UTF-8", "save the file as UTF-8")
