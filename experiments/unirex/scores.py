"""What a run scored, by the definitions of UNIREX's tables, and tables of it."""

from __future__ import annotations

import csv
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from n2r_jax.metrics.nrg import RawScores, nrg

HERE = pathlib.Path(__file__).parent
TASK_METRIC = {
    "sst": "accuracy",
    "movies": "macro_f1",
    "cose": "accuracy",
    "multirc": "macro_f1",
    "esnli": "macro_f1",
    "yelp": "accuracy",
    "amazon": "accuracy",
    "stormfront": "binary_f1",
    "offenseval": "macro_f1",
    "semeval2018": "binary_f1",
    "benzene": "accuracy",
}
"""The task metric that the paper prints for each data set (a key of a report's task section); the
last is not the paper's."""
TABLE = {"sst": 6, "movies": 7, "cose": 8, "multirc": 9, "esnli": 10}
"""The paper's main table of each data set."""
Scores = dict[str, float]
COLUMNS = {
    "comprehensiveness": "comp",
    "sufficiency": "suff",
    "csd": "CSD",
    "auprc": "AUPRC",
    "token_f1": "TF1",
    "task": "task",
}
PRINTED = {
    "comprehensiveness": "comp_mean",
    "sufficiency": "suff_mean",
    "auprc": "auprc_mean",
    "token_f1": "tf1_mean",
    "task": "perf_mean",
}
"""Columns of the published tables."""


def read_scores(results: pathlib.Path, dataset: str) -> Scores:
    """The scores of one run: faithfulness as probabilities, the others in percent.

    AOPC over |K| + 1 as the paper's release does; AUPRC and macro token F1 (of units more probable
    than 0.5) as means over inputs, of words alone; none of both without gold rationales.
    """
    found = json.loads(results.read_text())
    scores = {
        name: found["faithfulness"][name]["aopc_k_plus_1"]
        for name in ("comprehensiveness", "sufficiency", "csd")
    }
    if found["overlap"] is not None:
        scores["auprc"] = 100 * found["overlap"]["auprc_instance_mean"]["value"]
        scores["token_f1"] = 100 * found["overlap"]["token_f1_macro"]["value"]
    return scores | {"task": 100 * found["task"][TASK_METRIC[dataset]]["value"]}


def published(dataset: str) -> dict[str, Scores]:
    """The paper's means by row of its main table; empty for a data set without one."""
    if dataset not in TABLE:
        return {}
    with (HERE / "published" / f"table{TABLE[dataset]}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["method_id"]: {name: float(row[column]) for name, column in PRINTED.items()}
        for row in rows
    }


def composite_gains(scores: Mapping[str, Scores]) -> dict[str, Any]:
    """FNRG, PNRG, TNRG and CNRG of methods among one another."""
    raw = {
        name: RawScores(**{field: own[field] for field in RawScores._fields})
        for name, own in scores.items()
    }
    return nrg(raw)


def mean_scores(runs: Sequence[Scores]) -> Scores:
    """Means over seeds."""
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def table(runs: Mapping[str, Sequence[Scores]], printed: Mapping[str, Scores]) -> list[str]:
    """A Markdown table: mean (sd) of each row's seeds, gains where plausibility was scored.

    printed: the paper's rows, shown in brackets beneath; its gains are of the rows shown here.
    """
    means = {name: mean_scores(own) for name, own in runs.items()}
    columns = [name for name in COLUMNS if all(name in own for own in means.values())]
    complete = set(RawScores._fields) <= set(columns)
    gains = composite_gains(means) if complete else {}
    beside = {name: printed[name] for name in means if name in printed}
    their_gains = composite_gains(beside) if complete and beside else {}
    heads = ["CNRG", "FNRG", "PNRG", "TNRG"] if complete else []
    lines = ["| | " + " | ".join([*heads, *(COLUMNS[name] for name in columns)]) + " |"]
    lines.append("|---" * (1 + len(heads) + len(columns)) + "|")
    for name, own in runs.items():
        cells = _gain_cells(gains.get(name)) + [_mean_sd(own, column) for column in columns]
        lines.append(_line(name, cells))
        if name in beside:
            theirs = [_number(column, beside[name].get(column)) for column in columns]
            lines.append(_line("*paper*", _gain_cells(their_gains.get(name)) + theirs))
    return lines


def _line(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _gain_cells(gain: Any) -> list[str]:
    if gain is None:
        return []
    return [f"{v:.3f}" for v in (gain.composite, gain.faithfulness, gain.plausibility, gain.task)]


def _mean_sd(runs: Sequence[Scores], name: str) -> str:
    values = [run[name] for run in runs]
    if len(values) == 1:
        return _number(name, values[0])
    return (
        f"{_number(name, float(np.mean(values)))} ({_number(name, float(np.std(values, ddof=1)))})"
    )


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if name in ("auprc", "token_f1", "task") else f"{value:.3f}"
