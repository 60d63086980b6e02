"""Normalized relative gain: methods compared on three desiderata at once (UNIREX section 4.1.2).

Each raw score is scaled by the worst and the best of all methods of one data set:

    (z - min) / (max - min)         or (max - z) / (max - min) where lower is better
    FNRG = mean of comprehensiveness and sufficiency        PNRG = mean of AUPRC and token F1
    TNRG = task metric                                      CNRG = weighted mean of the three

So every value depends on the other methods: adding one may move all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from n2r_jax.errors import UserError


class RawScores(NamedTuple):
    """What one method scored on one data set; any unit, the same for all methods."""

    comprehensiveness: float
    sufficiency: float
    """Lower is better."""
    auprc: float
    token_f1: float
    task: float


class Nrg(NamedTuple):
    """Normalized relative gains of one method, each in [0, 1], higher is better."""

    faithfulness: float
    """FNRG"""
    plausibility: float
    """PNRG"""
    task: float
    """TNRG"""
    composite: float
    """CNRG"""


class NrgWeights(NamedTuple):
    """What each desideratum counts in the composite; equal in the paper."""

    faithfulness: float = 1.0
    plausibility: float = 1.0
    task: float = 1.0


EQUAL = NrgWeights()


def nrg(methods: Mapping[str, RawScores], weights: NrgWeights = EQUAL) -> dict[str, Nrg]:
    """Return every method's gains relative to all the methods given.

    UserError if there is no method, a score is no finite number or the weights cannot be used.
    """
    total = _checked_total(weights)
    raw = np.array([_checked(name, scores) for name, scores in methods.items()], np.float64)
    if not len(raw):
        raise UserError("normalized relative gain of no method at all; give at least two")
    gains = {
        name: min_max(raw[:, column], lower_is_better=name == "sufficiency")
        for column, name in enumerate(RawScores._fields)
    }
    parts = np.stack(
        [
            (gains["comprehensiveness"] + gains["sufficiency"]) / 2,
            (gains["auprc"] + gains["token_f1"]) / 2,
            gains["task"],
        ],
        axis=1,
    )
    composite = parts @ np.array(weights) / total
    rows = np.concatenate([parts, composite[:, None]], axis=1)
    return {name: Nrg(*map(float, row)) for name, row in zip(methods, rows, strict=True)}


def min_max(
    values: Float[np.ndarray, " n"], *, lower_is_better: bool = False
) -> Float[np.ndarray, " n"]:
    """Return every value's share of the way from the worst to the best; 0 if all are equal."""
    values = np.asarray(values, np.float64)
    gained = values.max() - values if lower_is_better else values - values.min()
    span = values.max() - values.min()
    return gained / span if span > 0 else np.zeros_like(values)


def _checked(name: str, scores: RawScores) -> RawScores:
    for field, value in zip(RawScores._fields, scores, strict=True):
        if not math.isfinite(value):
            raise UserError(
                f"{field} of method {name} is {value}; leave the method out or score it"
            )
    return scores


def _checked_total(weights: NrgWeights) -> float:
    total = math.fsum(weights)
    if not (all(w >= 0 for w in weights) and 0 < total < math.inf):
        raise UserError(
            f"weights of the normalized relative gain are {tuple(weights)}; give three numbers of "
            "at least 0, one of them above 0"
        )
    return total
