"""Table 2: runs trained on one data set, scored on others that they never saw.

Labels are matched by their names, which both files have to share (0 and 1 in the public copies: so
SST's positive stands for hate, offence and irony, as in the paper).
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Sequence

from experiments.jobs import Job, run_jobs
from experiments.unirex.main_table import Run, head, scores_of
from experiments.unirex.scores import TASK_METRIC, Scores, read_scores, table


def target(given: str) -> tuple[str, str]:
    """NAME=FILE as a pair; of a name without a metric, or of no file, what argparse prints."""
    name, _, file = given.partition("=")
    if name not in TASK_METRIC:
        raise argparse.ArgumentTypeError(f"{name}: no such data set ({', '.join(TASK_METRIC)})")
    path = pathlib.Path(file)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{file or given} is no file; write NAME=FILE")
    return name, str(path.absolute())


def render(arguments: argparse.Namespace, runs: Sequence[Run]) -> list[str]:
    """A table of each target, the source itself first."""
    targets = dict(arguments.target)
    run_jobs([_job(run, name, file) for name, file in targets.items() for run in runs])
    lines = head(arguments, "trained here, scored there")
    lines += [f"## {arguments.dataset}", "", *table(scores_of(arguments, runs), {}), ""]
    for name in targets:
        found: dict[str, list[Scores]] = {}
        for run in runs:
            results = run.workdir / "transfer" / name / "results.json"
            found.setdefault(run.variant, []).append(read_scores(results, name))
        lines += [f"## {name} ({TASK_METRIC[name].replace('_', ' ')})", "", *table(found, {}), ""]
    return lines


def _job(run: Run, name: str, file: str) -> Job:
    workdir = run.workdir / "transfer" / name
    command = [sys.executable, "-m", "n2r_jax.cli", "evaluate", "--run", str(run.workdir)]
    command += ["--data", file, "--faithfulness", "--out", str(workdir / "results.json")]
    return Job(f"{run.variant}, seed {run.seed}, on {name}", workdir, (command,))
