"""Several runs side by side: what each reached on dev, and mean and spread over seeds."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from n2r_jax.errors import UserError
from n2r_jax.members import PLACES
from n2r_jax.run_directory import RunDirectory
from n2r_jax.training.metrics import read_metrics

SHOWN = ("accuracy", "sparsity", "f1_micro", "cross_entropy")
"""Dev metrics of the table, where a run has them."""


class Row(NamedTuple):
    """One run at its best epoch on dev."""

    name: str
    setting: str
    """What it shares with the runs that differ by seed alone."""
    seed: int
    epoch: int
    chosen: float
    """The metric that chose the epoch."""
    dev: dict[str, float]


def read_rows(directory: str | pathlib.Path) -> tuple[list[Row], str, str]:
    """Every finished epoch's best of all runs in a folder, the metric that chose, and its mode.

    Raises UserError where there is no run, or where runs were chosen by different metrics.
    """
    found = sorted(p.parent for p in pathlib.Path(directory).glob("*/config.json"))
    if not found:
        raise UserError(f"there is no run in the folders of {directory}; name a sweep's --workdir")
    configs = [RunDirectory(path).read_config() for path in found]
    chosen_by = {(c.training.best_by, c.training.best_mode) for c in configs}
    if len(chosen_by) > 1:
        raise UserError(f"the runs in {directory} chose their epochs by {sorted(chosen_by)}")
    differing = [n for n in PLACES if len({c[PLACES[n]][n] for c in configs}) > 1]
    several_methods = len({c.method for c in configs}) > 1
    rows = []
    for path, config in zip(found, configs, strict=True):
        parts = [config.method] if several_methods else []
        parts += [f"{name}={config[PLACES[name]][name]:g}" for name in differing]
        rows.append(_row(path, config, ", ".join(parts) or config.method))
    return rows, *chosen_by.pop()


def _row(path: pathlib.Path, config: Any, setting: str) -> Row:
    """The best of the dev lines, by the rules of training."""
    training = config.training
    name, sign = training.best_by.removeprefix("dev/"), 1 if training.best_mode == "max" else -1
    lines = [line for line in read_metrics(path) if line["split"] == "dev"]
    lines = [line for line in lines if math.isfinite(line.get(name, math.nan))]
    lines = [line for line in lines if line["sparsity"] <= training.best_sparsity_at_most]
    if not lines:
        return Row(path.name, setting, config.seed, 0, math.nan, {})
    best = max(lines, key=lambda line: sign * line[name])
    dev = {key: best[key] for key in SHOWN if key in best}
    return Row(path.name, setting, config.seed, best["epoch"], best[name], dev)


class Setting(NamedTuple):
    """Runs that differ by their seed alone."""

    name: str
    seeds: tuple[int, ...]
    mean: dict[str, float]
    spread: dict[str, float]
    """Standard deviation over the seeds, with n - 1; NaN of a single one."""
    chosen: float
    """Mean of the metric that chose the epochs."""


def settings_of(rows: Sequence[Row], mode: str) -> list[Setting]:
    """Means over seeds, the best setting on dev first."""
    settings = []
    for name in dict.fromkeys(row.setting for row in rows):
        own = [row for row in rows if row.setting == name]
        metrics = [m for m in SHOWN if all(m in row.dev for row in own)]
        values = {m: np.array([row.dev[m] for row in own]) for m in metrics}
        spread = {m: float(v.std(ddof=1)) if len(own) > 1 else math.nan for m, v in values.items()}
        mean = {m: float(v.mean()) for m, v in values.items()}
        chosen = float(np.mean([row.chosen for row in own]))
        settings.append(Setting(name, tuple(row.seed for row in own), mean, spread, chosen))
    sign = -1 if mode == "max" else 1
    return sorted(settings, key=lambda s: (math.isnan(s.chosen), sign * s.chosen))


def sweep_command(directory: str, out: str | None = None) -> int:
    """Print the table of a folder of runs and write it as JSON; returns 0."""
    from rich.console import Console

    rows, chosen_by, mode = read_rows(directory)
    settings = settings_of(rows, mode)
    Console().print(_table(settings, chosen_by), *_runs_lines(rows), sep="\n")
    path = pathlib.Path(out or pathlib.Path(directory) / "sweep.json")
    content = {
        "chosen_by": chosen_by,
        "mode": mode,
        "settings": [_plain(setting) for setting in settings],
        "runs": [_plain(row) for row in rows],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
    return 0


def _plain(entry: Row | Setting) -> dict[str, Any]:
    """A row for JSON, which knows no NaN."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(inner) for key, inner in value.items()}
        return None if isinstance(value, float) and math.isnan(value) else value

    return {name: clean(value) for name, value in entry._asdict().items()}


def _table(settings: Sequence[Setting], chosen_by: str) -> Any:
    from rich.table import Table

    metrics = [name for name in SHOWN if any(name in s.mean for s in settings)]
    table = Table(title=f"dev at the epoch of the best {chosen_by}: mean (sd) over seeds")
    table.add_column("setting", overflow="fold")
    for name in ("seeds", *metrics):
        table.add_column(name, justify="right")
    for place, setting in enumerate(settings):
        cells = [_cell(setting, name) for name in metrics]
        star = " *" if place == 0 and len(settings) > 1 else ""
        table.add_row(setting.name + star, str(len(setting.seeds)), *cells)
    return table


def _cell(setting: Setting, name: str) -> str:
    if name not in setting.mean:
        return "-"
    scale = 1 if name == "cross_entropy" else 100
    spread = setting.spread[name]
    shown = "" if math.isnan(spread) else f" ({scale * spread:.{3 if scale == 1 else 1}f})"
    return f"{scale * setting.mean[name]:.{3 if scale == 1 else 1}f}{shown}"


def _runs_lines(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.name}: {'no best epoch' if not row.dev else f'epoch {row.epoch}, {row.chosen:.4f}'}"
        for row in rows
    ]
