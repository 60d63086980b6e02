"""Texts of the lengths that reviews have: batches padded in three ways, and a collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BUCKETS = (64, 128, 192, 256)
LONGEST = BUCKETS[-1]


def review_lengths(texts: int, seed: int = 0) -> np.ndarray:
    """Lengths of a lognormal shape, about 140 tokens on average, from 20 to 256."""
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(rng.lognormal(np.log(132), 0.5, texts)), 20, LONGEST).astype(int)


def request(lengths: Sequence[int], padded_to: int) -> dict[str, Any]:
    """A training request of one batch."""
    return {"do": "train", "length": int(padded_to), "lengths": [int(n) for n in lengths]}


def bucket_of(length: int) -> int:
    """The smallest bucket that holds a length."""
    return next(bucket for bucket in BUCKETS if length <= bucket)


def real_requests(batches: int = 8, rows: int = 128, seed: int = 0) -> dict[str, list[dict]]:
    """The same texts as 'padded' (all to 256), 'trimmed' (to each batch's longest), 'buckets'.

    Only the buckets sort the texts by length: the other two batch them as they come.
    """
    lengths = review_lengths(batches * rows, seed)
    as_they_come = lengths.reshape(batches, rows)
    alike = np.sort(lengths).reshape(batches, rows)
    return {
        "padded": [request(batch, LONGEST) for batch in as_they_come],
        "trimmed": [request(batch, batch.max()) for batch in as_they_come],
        "buckets": [request(batch, bucket_of(batch.max())) for batch in alike],
    }


def explain_request(texts: int = 2048, seed: int = 0) -> dict[str, Any]:
    """A collection of texts to explain, in the order they come."""
    lengths = [int(length) for length in review_lengths(texts, seed)]
    return {"do": "explain", "lengths": lengths, "batch": 256}
