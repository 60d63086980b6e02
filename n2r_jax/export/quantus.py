"""Texts or graphs as the arrays that Quantus' localisation metrics take, in one .npz.

x_batch [n, 1, t]   units as numbers: vocabulary[x - 1] is the token or node type; 0: padding
y_batch [n]         number of the predicted label, which the reasons are for
a_batch [n, 1, t]   probability that a unit is selected, the attribution
s_batch [n, 1, t]   whether a human marked it, in the rows where has_gold [n]
m_batch [n, 1, t]   whether it is selected
length [n]          units before the padding
y_true [n]          number of the true label, -1: not known
id [n], vocabulary, label_names
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from n2r_jax.export.predicted import Predicted
from n2r_jax.export.pyg import label_numbers
from n2r_jax.export.target import Target, write_arrays


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the file; what the user has to know."""
    found = arrays(list(rows), target.labels)
    write_arrays(target, found)
    without = int((~found["has_gold"]).sum())
    return [f"{without} rows have no marks: leave them out by has_gold"] if without else []


def arrays(rows: Sequence[Predicted], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the arrays by name."""
    names = sorted({token for row in rows for token in row.given.tokens})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    lengths = np.array([len(row.given.tokens) for row in rows], np.int64)
    longest = int(lengths.max(initial=0))
    shape = (len(rows), 1, longest)
    x, s = np.zeros(shape, np.float32), np.zeros(shape, bool)
    a, m = np.zeros(shape, np.float32), np.zeros(shape, bool)
    for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        x[place, 0, :length] = [numbers[token] for token in row.given.tokens]
        a[place, 0, :length] = row.scores
        m[place, 0, :length] = row.mask
        s[place, 0, :length] = row.given.rationale or 0
    return {
        "x_batch": x,
        "y_batch": label_numbers([row.label for row in rows], labels),
        "a_batch": a,
        "s_batch": s,
        "m_batch": m,
        "length": lengths,
        "has_gold": np.array([row.given.rationale is not None for row in rows], bool),
        "y_true": label_numbers([row.given.label for row in rows], labels),
        "id": np.array([row.given.id for row in rows], str),
        "vocabulary": np.array(names, str),
        "label_names": np.array(labels, str),
    }
