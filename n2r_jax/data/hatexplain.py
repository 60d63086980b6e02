"""HateXplain (Mathew et al. 2021): posts with the labels and marks of two or three annotators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from n2r_jax.data.public_rows import FoundRow, read_json
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import DataError

NORMAL = "normal"


def hatexplain_rows(files: list[Path], split: str, sampling: Any) -> Iterator[FoundRow]:
    """The posts of a split: the majority's label, and the union of the annotators' marks.

    The union is what the data set's own conversion to ERASER's format takes. Of posts called normal
    nobody was asked for marks. A post whose annotators all disagree is a bad row: the official
    split has none.
    """
    posts, divisions = (read_json(path) for path in files)
    ids = divisions.get("val" if split == "dev" else split) if isinstance(divisions, dict) else None
    if not isinstance(ids, list) or not isinstance(posts, dict):
        mend = "fetch it again: it names the posts of train, val and test"
        raise DataError(f"no {split} split", file=files[1], mend=mend)
    for number, name in enumerate(ids, start=1):
        yield number, _fields(name, posts.get(name))


def _fields(name: Any, post: Any) -> dict[str, Any] | RowProblem:
    try:
        tokens = post["post_tokens"]
        ((label, votes),) = Counter(a["label"] for a in post["annotators"]).most_common(1)
        marks = union(post["rationales"], len(tokens))
    except (KeyError, TypeError, ValueError):
        return RowProblem(f"post {name!r} is missing or damaged", "fetch dataset.json again")
    if votes < 2:
        return RowProblem(f"post {name!r} has no majority label", "take it out of the split")
    return {
        "id": name,
        "tokens": tokens,
        "label": label,
        "rationale": None if label == NORMAL or marks is None else marks,
    }


def union(rationales: Sequence[Sequence[int]], length: int) -> list[int] | None:
    """1 where any annotator marked; None where none gave marks. ValueError for other lengths."""
    if not rationales:
        return None
    if any(len(marks) != length for marks in rationales):
        raise ValueError("marks and tokens differ in number")
    return [int(any(of_token)) for of_token in zip(*rationales, strict=True)]
