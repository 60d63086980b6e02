"""Rows of a padded batch, out of flat arrays that hold texts or graphs back to back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped


class Chosen:
    """Some texts of flat arrays as the first of `rows` rows, without a Python loop over them."""

    def __init__(
        self, starts: np.ndarray, indices: Sequence[int] | np.ndarray, rows: int, length: int
    ):
        """Take text i from starts[i] to starts[i + 1]; raises ValueError where one is too long."""
        self.rows, self.indices = rows, np.asarray(indices, np.int64)
        firsts = starts[self.indices]
        sizes = starts[self.indices + 1] - firsts
        if sizes.max(initial=0) > length:
            raise ValueError(f"a text of {sizes.max()} does not fit in rows of {length}")
        self.lengths = self._filled_up(sizes, np.int32)
        self.weight = self._filled_up(np.ones(len(sizes)), np.float32)
        places = np.arange(length)
        self._inside, self._from = places < sizes[:, None], firsts[:, None] + places

    def padded(
        self, flat: Shaped[np.ndarray, "n ..."], blank: int = 0
    ) -> Shaped[np.ndarray, "rows length ..."]:
        """The texts' parts of a flat array, `blank` behind each and in the other rows.

        Integers become int32, other numbers float32.
        """
        kind = np.float32 if flat.dtype.kind == "f" else np.int32
        if not len(flat):  # np.take clips to no place at all
            flat = np.zeros((1, *flat.shape[1:]), kind)
        # What is read beyond a text is not kept.
        found = np.take(flat, self._from, axis=0, mode="clip")
        inside = self._inside.reshape(*self._inside.shape, *[1] * (flat.ndim - 1))
        return self._filled_up(np.where(inside, found, blank), kind, blank)

    def column(self, values: np.ndarray, kind: type) -> np.ndarray:
        """One value a text, 0 in the other rows."""
        return self._filled_up(values[self.indices], kind)

    def _filled_up(self, found: np.ndarray, kind: type, blank: int = 0) -> np.ndarray:
        whole = np.full((self.rows, *found.shape[1:]), blank, kind)
        whole[: len(found)] = found
        return whole
