"""Seeds of RNP, N2R and N2R+MMI on data with gold rationales, as one table.

    python -m experiments.real_data --dataset yelp_hat --data DIR/yelp_hat --vectors FILE \\
        --reference reference_runs.csv
    python -m experiments.real_data --dataset sst_minilm --data DIR/sst --encoder DIR \\
        --train-rows 1500 --dev-rows 400 --seeds 1 2 3
    python -m experiments.real_data --dataset ba2motifs --data ba2motifs.npz --seeds 1 2 3

Each run is a process of its own on one core; a run that has its results is not done again, so the
command goes on where it stopped. Settings are those of configs/DATASET_METHOD.py, chosen on dev;
test is read once a run, with the checkpoint that dev chose. Writes experiments/results/DATASET.md
and .csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.jobs import MAIN, Job, add_inputs, data_fields, launch, run_jobs, told_rows

DATASETS = ("yelp_hat", "sst", "sst_minilm", "ba2motifs")
METHODS = ("rnp", "n2r", "n2r_mmi")
SEEDS = (1, 2, 3, 4, 5)
ROOT = pathlib.Path(__file__).parents[1]


class Run(NamedTuple):
    """One run."""

    method: str
    seed: int
    job: Job


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing and write the table."""
    arguments = _parser().parse_args(argv)
    folder = pathlib.Path(arguments.runs) / arguments.dataset
    fields = data_fields(arguments, folder)
    planned = [
        Run(method, seed, _job(arguments.dataset, method, seed, folder, fields))
        for seed in arguments.seeds
        for method in METHODS
    ]
    run_jobs([run.job for run in planned])
    rows = [read_row(run) for run in planned]
    text = markdown(arguments.dataset, rows, read_reference(arguments), told_rows(arguments))
    write_table(arguments.dataset, rows, text, pathlib.Path(arguments.out))
    return 0


def _job(
    dataset: str, method: str, seed: int, folder: pathlib.Path, fields: Mapping[str, str]
) -> Job:
    """Train, then read test once."""
    workdir = folder / f"{method}_{seed}"
    train = launch(f"configs/{dataset}_{method}.py", workdir, {**fields, "seed": str(seed)})
    evaluate = [*MAIN, f"--workdir={workdir}", "--mode=evaluate"]
    return Job(f"{method}, seed {seed}", workdir, (train, evaluate))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, choices=DATASETS)
    add_inputs(parser)
    parser.add_argument("--reference", help="CSV with runs of the authors' code")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--runs", default="runs/real_data")
    parser.add_argument("--out", default=str(ROOT / "experiments" / "results"))
    return parser


def read_row(run: Run) -> dict[str, float | str]:
    """The figures of one run, in percent."""
    results = json.loads(run.job.results.read_text())
    overlap, task = results["overlap"], results["task"]
    micro, mean = overlap["micro"], overlap["instance_mean"]
    figures = {
        "sparsity": micro["model"]["sparsity"],
        "accuracy": task["accuracy"]["value"],
        "macro_f1": task["macro_f1"]["value"],
        "precision": micro["model"]["precision"],
        "recall": micro["model"]["recall"],
        "f1": micro["model"]["f1"],
        "random_f1": micro["random"]["f1"],
        "select_all_f1": micro["select_all"]["f1"],
        "ceiling_f1": micro["ceiling"]["f1"],
        "instance_f1": mean["model"]["f1"],
        "auprc": overlap["auprc_instance_mean"]["value"],
    }
    percent: dict[str, float | str] = {name: 100 * value for name, value in figures.items()}
    return {"method": run.method, "seed": str(run.seed)} | percent


def read_reference(arguments: argparse.Namespace) -> list[dict[str, str]]:
    """Rows of the authors' code on the same data, if a file of them was named."""
    if not arguments.reference:
        return []
    with open(arguments.reference, newline="") as file:
        return [row for row in csv.DictReader(file) if row["dataset"] == arguments.dataset]


COLUMNS = {
    "sparsity": "S",
    "accuracy": "Acc",
    "macro_f1": "macro-F1",
    "precision": "P",
    "recall": "R",
    "f1": "F1",
    "random_f1": "random F1, same S",
    "ceiling_f1": "ceiling F1, same S",
    "instance_f1": "instance-mean F1",
    "auprc": "AUPRC (instance mean)",
}


def write_table(
    dataset: str, rows: list[dict[str, float | str]], text: str, out: pathlib.Path
) -> None:
    """The table as Markdown, every run as CSV."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{dataset}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            shown = {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()}
            writer.writerow(shown)
    (out / f"{dataset}.md").write_text(text)
    print(text)


def markdown(
    dataset: str,
    rows: list[dict[str, float | str]],
    reference: list[dict[str, str]],
    read: str = "all",
) -> str:
    """The table, with what its columns mean. read: which rows of the splits, in words."""
    seeds = sorted({str(row["seed"]) for row in rows})
    lines = [
        f"# {dataset}: test split, mean (sd) of seeds {', '.join(seeds)}, in percent",
        "",
        f"Rows of the splits: {read}.",
        "P, R, F1, S: corpus-micro over the annotated inputs, arg-max masks. Random: the expected",
        "F1 of a random mask of the same S. Ceiling: the best mask of that S. Checkpoints are",
        "chosen by accuracy on dev.",
        "",
        "| method | " + " | ".join(COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        lines.append(f"| {method} | " + " | ".join(_mean_sd(own, name) for name in COLUMNS) + " |")
    for row in reference:
        shown = {
            name: row.get("random_f1_at_same_sparsity" if name == "random_f1" else name, "")
            for name in COLUMNS
        }
        label = f"authors' {row['method']}, seed {row['seed']}, sampled masks"
        lines.append(f"| {label} | " + " | ".join(v or "" for v in shown.values()) + " |")
    return "\n".join([*lines, ""])


def _mean_sd(rows: list[dict[str, float | str]], name: str) -> str:
    values = np.array([float(row[name]) for row in rows])
    spread = f" ({values.std(ddof=1):.1f})" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread}"


if __name__ == "__main__":
    raise SystemExit(main())
