"""Five seeds of RNP, N2R and N2R+MMI on real reviews with human rationales, as one table.

    python -m experiments.real_data --dataset yelp_hat --data DIR/yelp_hat --vectors FILE \\
        --reference reference_runs.csv
    python -m experiments.real_data --dataset sst_minilm --data DIR/sst --encoder DIR \\
        --train-rows 1500 --dev-rows 400 --seeds 1 2 3

Each run is a process of its own on one core; a run that has its results is not done again, so the
command goes on where it stopped. Settings are those of configs/DATASET_METHOD.py, chosen on dev;
test is read once a run, with the checkpoint that dev chose. Writes experiments/results/DATASET.md
and .csv.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SPLITS = ("train", "dev", "test")
METHODS = ("rnp", "n2r", "n2r_mmi")
SEEDS = (1, 2, 3, 4, 5)
ROOT = pathlib.Path(__file__).parents[1]


class Job(NamedTuple):
    """One run."""

    dataset: str
    method: str
    seed: int
    workdir: pathlib.Path

    @property
    def results(self) -> pathlib.Path:
        """Where its test scores are; the job is done when they exist."""
        return self.workdir / "results.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing and write the table."""
    arguments = _parser().parse_args(argv)
    runs = pathlib.Path(arguments.runs)
    jobs = [
        Job(arguments.dataset, method, seed, runs / arguments.dataset / f"{method}_{seed}")
        for seed in arguments.seeds
        for method in METHODS
    ]
    folder = pathlib.Path(arguments.data)
    fields = {f"data.{split}": str(folder / f"{split}.jsonl.gz") for split in SPLITS}
    for split, rows in (("train", arguments.train_rows), ("dev", arguments.dev_rows)):
        if rows:
            cut = runs / arguments.dataset / f"{split}_{rows}.jsonl.gz"
            fields[f"data.{split}"] = str(draw_rows(folder / f"{split}.jsonl.gz", rows, cut))
    source = {"data.vectors": arguments.vectors, "encoder.pretrained": arguments.encoder}
    fields |= {name: value for name, value in source.items() if value}
    run_all([job for job in jobs if not job.results.exists()], fields)
    rows = [read_row(job) for job in jobs]
    write_table(arguments.dataset, rows, read_reference(arguments), pathlib.Path(arguments.out))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, choices=("yelp_hat", "sst", "sst_minilm"))
    parser.add_argument("--data", required=True, help="folder of {train,dev,test}.jsonl.gz")
    inputs = parser.add_mutually_exclusive_group(required=True)
    inputs.add_argument("--vectors", help="word vectors in GloVe's text format")
    inputs.add_argument("--encoder", help="Hugging Face directory of a pretrained encoder")
    parser.add_argument("--train-rows", type=int, default=0, help="draw so many; 0: all")
    parser.add_argument("--dev-rows", type=int, default=0, help="draw so many; 0: all")
    parser.add_argument("--reference", help="CSV with runs of the authors' code")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--runs", default="runs/real_data")
    parser.add_argument("--out", default=str(ROOT / "experiments" / "results"))
    return parser


def draw_rows(path: pathlib.Path, rows: int, cut: pathlib.Path) -> pathlib.Path:
    """Write a uniform draw of a file's rows, the same at every call, in the file's order."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    chosen = np.sort(np.random.default_rng(0).permutation(len(lines))[:rows])
    cut.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(cut, "wt", encoding="utf-8") as file:
        file.writelines(lines[i] for i in chosen)
    return cut.absolute()


def run_all(jobs: list[Job], fields: dict[str, str]) -> None:
    """Run the jobs, as many at a time as there are cores, each held to one core."""
    free = sorted(os.sched_getaffinity(0))
    running: dict[int, tuple[Job, subprocess.Popen]] = {}
    while jobs or running:
        for core in [c for c in free if c not in running]:
            if jobs:
                job = jobs.pop(0)
                running[core] = (job, _start(job, fields, core))
        time.sleep(1)
        for core, (job, process) in list(running.items()):
            if process.poll() is None:
                continue
            del running[core]
            if process.returncode:
                raise SystemExit(f"{job.workdir}: failed, see {job.workdir}.log")
            print(f"{job.method}, seed {job.seed}: done", flush=True)


def _start(job: Job, fields: dict[str, str], core: int) -> subprocess.Popen:
    """Train, then read test once."""
    job.workdir.parent.mkdir(parents=True, exist_ok=True)
    config = ROOT / "configs" / f"{job.dataset}_{job.method}.py"
    python = [sys.executable, "-m", "n2r_jax.main", f"--workdir={job.workdir}", "--cpu_devices=1"]
    settings = [f"--config.{name}={value}" for name, value in fields.items()]
    train = [*python, f"--config={config}", f"--config.seed={job.seed}", *settings]
    program = (
        "import os, subprocess, sys, json\n"
        f"os.sched_setaffinity(0, {{{core}}})\n"
        f"for command in {[train, [*python, '--mode=evaluate']]!r}:\n"
        "    subprocess.run(command, check=True)\n"
    )
    with pathlib.Path(f"{job.workdir}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", program], stdout=log, stderr=subprocess.STDOUT, cwd=ROOT
        )


def read_row(job: Job) -> dict[str, float | str]:
    """The figures of one run, in percent."""
    results = json.loads(job.results.read_text())
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
    return {"method": job.method, "seed": str(job.seed)} | percent


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
    dataset: str,
    rows: list[dict[str, float | str]],
    reference: list[dict[str, str]],
    out: pathlib.Path,
) -> None:
    """Mean (sd) over seeds as Markdown, every run as CSV."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{dataset}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            shown = {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()}
            writer.writerow(shown)
    text = markdown(dataset, rows, reference)
    (out / f"{dataset}.md").write_text(text)
    print(text)


def markdown(
    dataset: str, rows: list[dict[str, float | str]], reference: list[dict[str, str]]
) -> str:
    """The table, with what its columns mean."""
    seeds = sorted({str(row["seed"]) for row in rows})
    lines = [
        f"# {dataset}: test split, mean (sd) of seeds {', '.join(seeds)}, in percent",
        "",
        "P, R, F1, S: corpus-micro over the annotated texts, arg-max masks. Random: the expected",
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
