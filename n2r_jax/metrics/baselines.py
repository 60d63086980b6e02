"""What a rationale score is worth: select-all, random and the ceiling at the same sparsity.

g is the gold rate and S the sparsity, both over all units of all inputs.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int64

from n2r_jax.metrics.overlap import OverlapCounts, Prf, instance_mean, micro, prf, ratio, sparsity


def select_all(counts: OverlapCounts) -> OverlapCounts:
    """Return the counts of the mask that selects every unit; score them like a model's."""
    return dataclasses.replace(counts, selected=counts.length, true_positives=counts.gold)


def random_micro(counts: OverlapCounts) -> Prf:
    """Return the expected corpus-micro P = g, R = S, F1 = 2 g S / (g + S) of a random mask.

    Exact for masks drawn uniformly among those with as many units as are selected here: the true
    positives are then hypergeometric with mean S * gold, and F1 is linear in them.
    """
    selected, gold, _, length = counts.table.sum(axis=0)
    return prf(selected, gold, selected * gold / max(1, length))


def random_instance_mean(counts: OverlapCounts) -> Prf:
    """Return the expected instance-mean P, R, F1 of a mask that selects S of every input.

    Input i with l_i units selects k_i = S l_i of them, tp_i = k_i g_i / l_i in expectation. The
    approximation is that k_i is not rounded to whole units.
    """
    share = sparsity(counts)
    expected = prf(share * counts.length, counts.gold, share * counts.gold)
    seen = share * counts.length + counts.gold > 0
    return Prf(*(ratio(values[seen].sum(), seen.sum()) for values in expected))


def ceiling_micro(counts: OverlapCounts) -> Prf:
    """Return the P, R, F1 of the best mask with as many units: tp = min(selected, gold)."""
    selected, gold, _, _ = counts.table.sum(axis=0)
    return prf(selected, gold, np.minimum(selected, gold))


def ceiling_instance_mean(counts: OverlapCounts) -> float:
    """Return an upper bound of the instance-mean F1 of all masks with as many units in all.

    With k of its g gold units selected an input scores 2k / (k + g), which is concave in k: taking
    the units of largest gain 2g / ((k + g)(k + 1 + g)) first is optimal. Units beyond all gold
    cost an input e / (2g + e), concave in e: the chord to a completely selected input, 1 / (l + g)
    a unit, bounds it from below. Units in inputs without gold cost nothing. The mean is over the
    inputs that have gold: an empty one can only lower it.
    """
    marked = counts.take(counts.gold > 0)
    if not len(marked):
        return 0.0
    budget = int(counts.selected.sum())
    gains = np.sort(_gains(marked.gold))[::-1][:budget].sum()
    free = int((counts.length[counts.gold == 0]).sum())
    excess = max(0, budget - int(marked.gold.sum()) - free)
    return float((gains - _least_cost(marked, excess)) / len(marked))


def _gains(gold: Int64[np.ndarray, " n"]) -> Float[np.ndarray, " units"]:
    """Return what every gold unit adds to its input's F1, when they are selected one by one."""
    total = np.repeat(gold, gold)
    first = np.repeat(np.cumsum(gold) - gold, gold)
    before = np.arange(len(total)) - first
    return 2 * total / ((before + total) * (before + 1 + total))


def _least_cost(counts: OverlapCounts, excess: int) -> float:
    """Return the bound of the F1 lost, summed over inputs, to `excess` units outside the gold."""
    order = np.argsort(-(counts.length + counts.gold), kind="stable")
    room = (counts.length - counts.gold)[order]
    used = np.clip(excess - (np.cumsum(room) - room), 0, room)
    return float((used / (counts.length + counts.gold)[order]).sum())


def baseline_rows(counts: OverlapCounts) -> dict[str, dict[str, Prf | float]]:
    """Return {'micro': {...}, 'instance_mean': {...}}, each with the three baselines' scores.

    The ceiling of the instance mean bounds F1 alone, so it is a number where others are a Prf.
    """
    everything = select_all(counts)
    return {
        "micro": {
            "select_all": micro(everything),
            "random": random_micro(counts),
            "ceiling": ceiling_micro(counts),
        },
        "instance_mean": {
            "select_all": instance_mean(everything),
            "random": random_instance_mean(counts),
            "ceiling": ceiling_instance_mean(counts),
        },
    }
