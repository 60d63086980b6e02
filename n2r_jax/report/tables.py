"""The scores of runs as tables that a template only has to set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from n2r_jax.metrics.overlap import Prf
from n2r_jax.tables import Table

Scores = Mapping[str, Any]
"""A `RationaleReport` as plain values."""


def summary_table(scores: Mapping[str, Scores]) -> Table:
    """Return the few scores to look at first, a row a run.

    scores: by name of the run, here and below.
    """
    rows = []
    for run, found in scores.items():
        task, micro = found["task"], (found["overlap"] or {}).get("micro", {})
        f1, random = micro.get("model", {}), micro.get("random", {})
        cells = (
            _with_span(task["accuracy"], "value"),
            _with_span(task["macro_f1"], "value"),
            _with_span(f1, "f1"),
            _percent(random.get("f1")),
            _percent(micro.get("ceiling", {}).get("f1")),
            _with_span(found["selection"]["sparsity_micro"], "value"),
        )
        rows.append([run, *cells])
    of_f1 = ("rationale F1, micro", "of a random mask", "ceiling")
    headings = ("run", "accuracy", "macro F1 of labels", *of_f1, "selected")
    return Table("Summary (%, with 95 % intervals)", headings, rows)


def _with_span(score: Scores, name: str) -> str:
    low, high = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
    span = f" ({_span(score[low], score[high], _percent)})" if low in score else ""
    return _percent(score.get(name)) + span


def overlap_tables(scores: Mapping[str, Scores]) -> list[Table]:
    """Return overlap with its baselines, a table a definition; none without gold."""
    overlap = {name: found["overlap"] for name, found in scores.items() if found["overlap"]}
    return [_overlap_table(overlap, name) for name in ("micro", "instance_mean") if overlap]


def _overlap_table(overlap: Mapping[str, Scores], definition: str) -> Table:
    rows = []
    for run, found in overlap.items():
        for mask, score in found[definition].items():
            cells = [_percent(score[name]) for name in Prf._fields]
            span = _span(score["f1_low"], score["f1_high"], _percent) if "f1_low" in score else ""
            name = run if mask == "model" else f"{run}: {mask.replace('_', '-')}"
            rows.append([name, *cells, span, _percent(score["sparsity"])])
    caption = f"Overlap with gold, {definition.replace('_', '-')} (%)"
    headings = ("run", "precision", "recall", "F1", "95 % interval of F1", "selected")
    return Table(caption, headings, rows)


def faithfulness_table(sections: Mapping[str, Scores]) -> Table:
    """Return comprehensiveness, sufficiency and their distance, a row a run and a score."""
    k = sorted({share for found in sections.values() for share in found["k"]})
    rows = []
    for run, found in sections.items():
        for name in ("comprehensiveness", "sufficiency", "csd"):
            score = found[name]
            per_k = dict(zip(found["k"], score["per_k"], strict=True))
            means = [score["aopc_k"], score["aopc_k_plus_1"]]
            numbers = [*means, *map(per_k.get, k), score["selected"]]
            rows.append([f"{run}: {name}", *map(_decimal, numbers)])
    means = ("AOPC |K| (ERASER)", "AOPC |K| + 1 (UNIREX)")
    headings = ("run", *means, *(f"top {share:g} %" for share in k), "own masks")
    return Table("Faithfulness (differences of probabilities)", headings, rows)


def other_table(scores: Mapping[str, Scores]) -> Table:
    """Every score that has an interval or is a count, a column a run."""
    flat = {run: _flat(found) for run, found in scores.items()}
    definitions = next(iter(scores.values()))["definitions"]
    rows = []
    for name in dict.fromkeys(name for found in flat.values() for name in found):
        cells = [found.get(name, "") for found in flat.values()]
        rows.append([name.replace("_", " "), *cells, definitions.get(name, "count")])
    caption = "Task, selection and ranking (%; cross-entropy in nats), with 95 % intervals"
    return Table(caption, ("score", *scores, "definition"), rows)


def _flat(found: Scores) -> dict[str, str]:
    sections = {**found["task"], **found["selection"], **(found["overlap"] or {})}
    cells = {}
    for name, score in sections.items():
        if isinstance(score, dict) and "value" in score:
            number = _decimal if name == "cross_entropy" else _percent
            span = f" ({_span(score['low'], score['high'], number)})" if "low" in score else ""
            cells[name] = number(score["value"]) + span
        elif isinstance(score, int):
            cells[name] = str(score)
    return cells


def confusion_tables(scores: Mapping[str, Scores], labels: Sequence[str]) -> list[Table]:
    """Return each run's counts of true labels (rows) and predicted ones (columns)."""
    tables = []
    for run, found in scores.items():
        rows = zip(labels, found["task"]["confusion"], strict=True)
        cells = [[label, *map(str, counts)] for label, counts in rows]
        headings = ("true label", *(f"predicted {label}" for label in labels))
        tables.append(Table(f"Confusion of {run} (texts)", headings, cells))
    return tables


def settings_table(settings: Mapping[str, Mapping[str, Any]], caption: str) -> Table:
    """Return settings with dotted names, a column a run, marked where the runs differ."""
    flat = {run: _dotted(tree) for run, tree in settings.items()}
    rows = []
    for name in dict.fromkeys(name for found in flat.values() for name in found):
        cells = [found.get(name, "") for found in flat.values()]
        rows.append([name + (" (differs)" if len(set(cells)) > 1 else ""), *cells])
    return Table(caption, ("setting", *settings), rows)


def _dotted(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found = {}
    for name, value in tree.items():
        inner = isinstance(value, Mapping)
        found |= _dotted(value, f"{prefix}{name}.") if inner else {prefix + name: str(value)}
    return found


def _span(low: float | None, high: float | None, number: Any) -> str:
    return f"{number(low)} to {number(high)}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
