"""`n2r compare`: runs on the same texts, as tables for the terminal, a paper and a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from n2r_jax.compare.inputs import InputScores, input_scores
from n2r_jax.compare.statistics import DEFINITIONS, differences, run_scores
from n2r_jax.errors import UserError
from n2r_jax.evaluate import Evaluation
from n2r_jax.export.target import new_folder
from n2r_jax.inference import Which
from n2r_jax.side_by_side import run_all
from n2r_jax.tables import Table, as_latex, as_rich

SHOWN = {"accuracy": "accuracy", "f1_micro": "F1 micro", "f1_instance_mean": "F1 mean"}
"""Scores of the tables, as they are called there."""


def compare_command(
    directories: Sequence[str],
    *,
    data: str | None = None,
    which: Which = "best",
    resamples: int,
    out: str | None = None,
) -> int:
    """Compare, print two tables, and write them where `out` says."""
    from rich.console import Console

    if len(directories) < 2:
        raise UserError("there is nothing to compare one run with; name two or more")
    if resamples < 1:
        raise UserError(f"--resamples {resamples} is no bootstrap; give at least 1")
    evaluations = run_all(directories, data, which)
    found = comparison(evaluations, resamples)
    tables = [runs_table(found), differences_table(found)]
    console = Console()
    for table in tables:
        console.print(as_rich(table))
    for note in found["notes"]:
        print(note)
    if out:
        _write(pathlib.Path(out), found, tables)
        print(f"comparison.json, comparison.tex, runs.csv and differences.csv written to {out}")
    return 0


def comparison(evaluations: Mapping[str, Evaluation], resamples: int) -> dict[str, Any]:
    """Return all numbers, for json.dump: data, runs, differences from the first, notes."""
    scores = {name: input_scores(evaluation) for name, evaluation in evaluations.items()}
    origins = {name: evaluation.origin() for name, evaluation in evaluations.items()}
    described = ("method", "seed", "checkpoint")
    runs = [
        {"run": name, **{key: origins[name][key] for key in described}}
        | run_scores(scores[name], resamples)
        for name in scores
    ]
    data = next(iter(origins.values()))["data"]
    return {
        "data": {key: data[key] for key in ("name", "texts", "fingerprint")},
        "inputs": _counts(next(iter(scores.values()))),
        "resamples": resamples,
        "runs": runs,
        "differences": differences(scores, resamples),
        "notes": _notes(evaluations),
        "definitions": DEFINITIONS,
    }


def _counts(scores: InputScores) -> dict[str, int]:
    tables = scores.tables
    return {"all": len(scores.correct)} | {
        "annotated": len(tables["f1_micro"]),
        "with a gold token": len(tables["f1_instance_mean"]),
    }


def _notes(evaluations: Mapping[str, Evaluation]) -> list[str]:
    notes = [
        f"{name} cut {found.texts.truncated} of {len(found.texts)} texts: tokens that it did not "
        "read count as not selected"
        for name, found in evaluations.items()
        if found.texts.truncated
    ]
    if not any(found.texts.annotated.any() for found in evaluations.values()):
        notes.append("no text has a gold rationale: only predictions are compared")
    return notes


def runs_table(found: Mapping[str, Any]) -> Table:
    """Return each run's scores, in %, with intervals."""
    rows = [
        [
            run["run"],
            _interval(run["accuracy"]),
            _percent(run["precision_micro"]),
            _percent(run["recall_micro"]),
            _interval(run["f1_micro"]),
            _interval(run["f1_instance_mean"]),
            _percent(run["sparsity_micro"]),
        ]
        for run in found["runs"]
    ]
    headings = ("run", "accuracy", "P", "R", "F1 micro", "F1 mean", "S")
    data = pathlib.PurePath(found["data"]["name"]).name
    return Table(f"Runs on {data}: %, [95 % interval]", headings, rows)


def differences_table(found: Mapping[str, Any]) -> Table:
    """Return how each run differs from the first, in points, and how likely that is by chance."""
    smallest = 2 * len(found["differences"]) / found["resamples"]
    rows = []
    for row in found["differences"]:
        for score, shown in SHOWN.items():
            if (entry := row[score]) is not None:
                value, low, high = (100 * entry[name] for name in ("value", "low", "high"))
                cells = (f"{value:+.1f}", f"{low:+.1f} to {high:+.1f}", _p_value(entry, smallest))
                rows.append([row["run"], f"{shown}, bootstrap", *cells])
        if (test := row["wilcoxon"]) is not None:
            counts = f"+{test['better']} -{test['worse']} ={test['equal']}"
            rows.append([row["run"], "F1 of inputs, Wilcoxon", counts, "", _p_value(test, 0.0)])
    base = found["runs"][0]["run"]
    headings = ("run", "score, paired test", "difference", "95 % interval", "p (Holm)")
    return Table(f"Differences from {base}, in points", headings, rows)


def _p_value(entry: Mapping[str, float], smallest: float) -> str:
    """smallest: what a bootstrap of so many resamples can tell from 0."""
    bound = max(smallest, 0.001)
    return f"< {bound:g}" if entry["holm"] < bound else f"{entry['holm']:.3f}"


def _interval(entry: Mapping[str, float] | None) -> str:
    if entry is None:
        return ""
    value, low, high = (100 * entry[name] for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _write(folder: pathlib.Path, found: Mapping[str, Any], tables: Sequence[Table]) -> None:
    with new_folder(folder) as files:
        text = json.dumps(found, indent=2, allow_nan=False) + "\n"
        (files / "comparison.json").write_text(text, encoding="utf-8")
        latex = "\n".join(as_latex(table) for table in tables)
        (files / "comparison.tex").write_text(latex, encoding="utf-8")
        for name in ("runs", "differences"):
            (files / f"{name}.csv").write_text(_csv(found[name]), encoding="utf-8", newline="")


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Numbers as they are, shares of 1; `f1_micro_low` is the lower end of f1_micro's interval."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {name if k == "value" else f"{name}_{k}": v for k, v in value.items()}
        else:
            found[name] = value
    return found
