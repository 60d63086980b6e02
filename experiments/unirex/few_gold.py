"""Figures 7 and 8: plausibility when few texts have gold rationales, as a table and a picture."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Mapping, Sequence

from experiments.unirex.main_table import Run, head, scores_of
from experiments.unirex.scores import Scores, table


def render(arguments: argparse.Namespace, runs: Sequence[Run]) -> list[str]:
    """The table, and AUPRC against the share of gold as a picture beside it."""
    found = scores_of(arguments, runs)
    picture = pathlib.Path(arguments.out) / f"unirex_few_gold_{arguments.dataset}.svg"
    draw(curves(found), picture)
    lines = head(arguments, "few gold rationales (percent of train in the name)")
    return [*lines, *table(found, {}), "", f"![AUPRC by share of gold]({picture.name})"]


def curves(found: Mapping[str, Sequence[Scores]]) -> dict[str, list[tuple[float, list[float]]]]:
    """Method -> (percent of gold, AUPRC of every seed); NaN where gold has no part in it."""
    lines: dict[str, list[tuple[float, list[float]]]] = {}
    for name, runs in found.items():
        method, _, percent = name.partition("_gold_")
        point = (float(percent or "nan"), [run["auprc"] for run in runs])
        lines.setdefault(method, []).append(point)
    return lines


def draw(lines: Mapping[str, Sequence[tuple[float, list[float]]]], path: pathlib.Path) -> None:
    """One line a method with its seeds' range; methods without gold are level."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="share of train with gold, %", ylabel="AUPRC, %")
    for index, (method, points) in enumerate(lines.items()):
        style = {"color": f"C{index}", "marker": "ov^sD*"[index % 6], "label": method}
        middle = [sum(values) / len(values) for _, values in points]
        if any(percent != percent for percent, _ in points):
            axes.axhline(middle[0], linestyle="--", color=style["color"], label=method)
            continue
        percents = [percent for percent, _ in points]
        axes.plot(percents, middle, **style)
        low, high = ([end(values) for _, values in points] for end in (min, max))
        axes.fill_between(percents, low, high, color=style["color"], alpha=0.15)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
