"""Agreement of continuous scores with a human's marks, one value for every input.

Area under precision-recall is `ranking.instance_area(..., "auprc")`. A unit counts as selected if
its score is positive. Two definitions of token F1, which must never share a column:

    macro      mean of the F1 of the marked and of the F1 of the other units (UNIREX's TF1)
    positive   F1 of the marked units (ERASER's token_prf.instance_macro)
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Shaped

from n2r_jax.choices import one_of
from n2r_jax.metrics.overlap import OverlapCounts, prf

TokenF1 = Literal["macro", "positive"]
Unannotated = Literal["skip", "zero"]


def token_f1(
    scores: Float[np.ndarray, "n t"],
    gold: Shaped[np.ndarray, "n t"],
    valid: Shaped[np.ndarray, "n t"],
    definition: TokenF1,
) -> Float[np.ndarray, " n"]:
    """Return every input's F1 of `scores > 0` over its real units, special ones included.

    A class that is neither marked nor selected scores 0. UserError for an unknown definition.
    """
    one_of("definition of token F1", definition, get_args(TokenF1))
    counts = OverlapCounts.from_masks(np.asarray(scores) > 0, gold, valid)
    selected, marked, both, length = counts.table.T
    positive = prf(selected, marked, both).f1
    if definition == "positive":
        return positive
    neither = length - selected - marked + both
    return (positive + prf(length - selected, length - marked, neither).f1) / 2


def annotated_mean(
    values: Float[np.ndarray, " n"],
    annotated: Bool[np.ndarray, " n"],
    unannotated: Unannotated = "skip",
) -> float:
    """Return the mean over annotated inputs whose value is a number; NaN if there is none.

    zero: every other input counts as 0, as in UNIREX's release; for comparison with it alone.
    """
    one_of("treatment of inputs without a gold rationale", unannotated, get_args(Unannotated))
    values = np.asarray(values, np.float64)
    seen = np.asarray(annotated, bool) & ~np.isnan(values)
    inputs = len(values) if unannotated == "zero" else int(seen.sum())
    return float(values[seen].sum() / inputs) if inputs else float("nan")
