"""HateXplain's dataset.json (Mathew et al., 2021): one object of posts, the run as sole annotator.

`rationales` is the list of the annotators' token flags, so here it has one element. What the data
set has no field for stands in `soft_rationales` and `classification_scores`, which its readers
pass over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from n2r_jax.export.predicted import Predicted
from n2r_jax.export.target import Target, write_file

ANNOTATOR = 0


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the file; what the user has to know."""
    write_file(target, render(rows, target))
    return []


def render(rows: Iterable[Predicted], target: Target) -> Iterator[str]:
    """A JSON object with a line a post."""
    opening = "{\n"
    for row in rows:
        yield opening + f"{_json(row.given.id)}: {_json(_post(row))}"
        opening = ",\n"
    yield "{}\n" if opening == "{\n" else "\n}\n"


def _post(row: Predicted) -> dict[str, Any]:
    return {
        "post_id": row.given.id,
        "annotators": [{"label": row.label, "annotator_id": ANNOTATOR, "target": []}],
        "rationales": [row.mask],
        "post_tokens": row.given.tokens,
        "soft_rationales": [row.scores],
        "classification_scores": row.probabilities,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
