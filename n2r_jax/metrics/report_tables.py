"""A report as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from n2r_jax.metrics.overlap import Prf
from n2r_jax.metrics.report import DEFINITIONS, RationaleReport

if TYPE_CHECKING:
    from rich.table import Table


def render(report: RationaleReport) -> list[Table]:
    """Return rich tables: overlap beside its baselines (one per definition), then the rest."""
    overlap = report.overlap or {}
    tables = [_score_table(name, overlap[name]) for name in ("micro", "instance_mean") if overlap]
    faithful = [_faithfulness_table(report.faithfulness)] if report.faithfulness else []
    return [*tables, _rest_table(report), *faithful]


def _score_table(name: str, rows: dict[str, dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(
        "", title=f"Overlap with gold, {name.replace('_', '-')} (%)", title_justify="left"
    )
    for heading in ("P", "R", "F1", "95 % interval of F1", "S"):
        table.add_column(heading, justify="right")
    for row, score in rows.items():
        span = f"{_percent(score.get('f1_low'))} to {_percent(score.get('f1_high'))}"
        prf_cells = [_percent(score[key]) for key in Prf._fields]
        cells = [*prf_cells, span if "f1_low" in score else "", _percent(score["sparsity"])]
        table.add_row(row.replace("_", "-"), *cells)
    return table


def _faithfulness_table(section: dict[str, Any]) -> Table:
    from rich.table import Table

    title = "Faithfulness: mean over K (AOPC of ERASER), and of the run's own masks"
    table = Table("", title=title, title_justify="left")
    for heading in ("AOPC |K|", "AOPC |K| + 1", *(f"{k:g} %" for k in section["k"]), "selected"):
        table.add_column(heading, justify="right")
    for name in ("comprehensiveness", "sufficiency", "csd", "log_odds"):
        value = section[name]
        numbers = [value["aopc_k"], value["aopc_k_plus_1"], *value["per_k"], value["selected"]]
        table.add_row(name.replace("_", "-"), *map(_decimal, numbers))
    return table


def _rest_table(report: RationaleReport) -> Table:
    from rich.table import Table

    table = Table("", title="Task, selection and ranking", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("definition")
    for name, score in {**report.task, **report.selection, **(report.overlap or {})}.items():
        if isinstance(score, dict) and "value" in score:
            number = _percent if name != "cross_entropy" else _decimal
            span = f"{number(score['low'])} to {number(score['high'])}" if "low" in score else ""
            table.add_row(name, number(score["value"]), span, DEFINITIONS[name])
        elif isinstance(score, int):
            table.add_row(name.replace("_", " "), str(score), "", "count")
    if report.overlap_missing:
        table.add_row("overlap", "none", "", report.overlap_missing)
    return table


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
