"""Masks that are drawn: some tokens of a text, at random."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def first_by(
    noise: Float[np.ndarray, "n t"],
    allowed: Bool[np.ndarray, "n t"],
    size: Int[np.ndarray, " n"],
) -> Bool[np.ndarray, "n t"]:
    """Return the `size` allowed tokens of each text that have the smallest noise, or all of them.

    With the same noise a smaller mask is part of a larger one.
    """
    order = np.argsort(np.where(allowed, noise, np.inf), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return (rank < size[:, None]) & allowed
