"""The pictures of a report: how runs learned, and what their scores are worth at any sparsity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from n2r_jax.charts import Panel, Series, as_svg, draw, numbers
from n2r_jax.evaluate import Evaluation
from n2r_jax.metrics.overlap import OverlapCounts, prf
from n2r_jax.metrics.sparsity_curve import sparsity_curve
from n2r_jax.report.page import Picture

LEARNING = ("accuracy", "cross_entropy", "f1_micro", "sparsity", "norm")
"""Metrics of metrics.jsonl that are drawn, where a run has them."""

Lines = Sequence[Mapping[str, Any]]
"""The lines of a run's metrics.jsonl."""


def learning_curves(lines: Mapping[str, Lines]) -> Picture | None:
    """Draw every metric by step, of dev and (of a single run) of train; None without lines.

    lines: by name of the run.
    """
    splits = ("dev", "train") if len(lines) == 1 else ("dev",)
    panels = []
    for metric in LEARNING:
        series = [
            _learned(f"{run} {split}", metric, [line for line in own if line["split"] == split])
            for run, own in lines.items()
            for split in splits
        ]
        if drawn := [curve for curve in series if curve.x]:
            panels.append(Panel(metric.replace("_", " "), "step", "", drawn))
    if not panels:
        return None
    titles = ", ".join(panel.title for panel in panels)
    split = "dev and train" if len(splits) == 2 else "dev"
    return Picture(as_svg(draw(panels)), f"Learning curves on {split} by step: {titles}.")


def _learned(name: str, metric: str, lines: Lines) -> Series:
    own = [line for line in lines if metric in line]
    return Series(name, [line["step"] for line in own], numbers(line[metric] for line in own))


def sparsity_picture(evaluations: Mapping[str, Evaluation]) -> Picture | None:
    """Draw F1 of the best-scored share of each text against that share; None without gold.

    A large mark stands where a run's own masks are. Of the first run, the F1 of random masks and
    the ceiling, too: they hardly depend on the run.
    """
    curves, exact, spots = [], [], []
    for name, evaluation in evaluations.items():
        marked = evaluation.texts.annotated
        gold, valid = evaluation.gold[marked], evaluation.valid[marked]
        if not gold.any():
            continue
        curve = sparsity_curve(evaluation.outputs.scores[marked], gold, valid)
        shares = [100 * share for share in curve["sparsity"]]
        spots.append(_own_masks(evaluation, len(curves)))
        curves.append(Series(name, shares, [100 * value for value in curve["f1"]]))
        exact = exact or [
            Series(other, shares, [100 * value for value in curve[other]])
            for other in ("random", "ceiling")
        ]
    if not curves:
        return None
    series = [*curves, *exact, *spots]
    panel = Panel("F1 by sparsity", "selected (%)", "F1, corpus-micro (%)", series)
    caption = (
        "Rationale F1 of what is best-scored in each input, by the share selected, "
        "beside random masks and the ceiling; large marks are the runs' own masks."
    )
    return Picture(as_svg(draw([panel])), caption)


def faithfulness_picture(sections: Mapping[str, Mapping[str, Any]]) -> Picture | None:
    """Draw comprehensiveness and sufficiency by the share that counts as rationale.

    sections: `Evaluation.faithfulness` by name of the run. None where no run has several shares.
    """
    several = {name: found for name, found in sections.items() if len(found["k"]) > 1}
    if not several:
        return None
    panels = [
        Panel(
            score,
            "counts as rationale (%)",
            "change of probability",
            [Series(name, found["k"], found[score]["per_k"]) for name, found in several.items()],
        )
        for score in ("comprehensiveness", "sufficiency")
    ]
    caption = (
        "How much the probability of the predicted label falls without what is best-scored "
        "(comprehensiveness, higher is better) and with that alone (sufficiency, lower is better)."
    )
    return Picture(as_svg(draw(panels)), caption)


def _own_masks(evaluation: Evaluation, like: int) -> Series:
    """Sparsity and F1 of the masks that a run selects itself, in %, as a mark without a name."""
    marked = evaluation.texts.annotated
    mask, gold = evaluation.outputs.mask[marked], evaluation.gold[marked]
    valid = evaluation.valid[marked]
    counts = OverlapCounts.from_masks(mask, gold, valid)
    totals = (counts.selected.sum(), counts.gold.sum(), counts.true_positives.sum())
    share, f1 = totals[0] / valid.sum(), prf(*totals).f1
    return Series("", [100 * float(share)], [100 * float(f1)], "spot", like)
