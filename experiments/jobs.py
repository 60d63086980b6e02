"""Many runs, each in processes of its own on one core; what is done is not done again."""

from __future__ import annotations

import argparse
import gzip
import os
import pathlib
import queue
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
MAIN = (sys.executable, "-m", "n2r_jax.main", "--cpu_devices=1")
SPLITS = ("train", "dev", "test")


class Job(NamedTuple):
    """Commands in a row, of which the last leaves the job's results behind."""

    name: str
    workdir: pathlib.Path
    commands: tuple[Sequence[str], ...]

    @property
    def results(self) -> pathlib.Path:
        """Where its test scores are; the job is done when they exist."""
        return self.workdir / "results.json"


def launch(config: str, workdir: pathlib.Path, fields: Mapping[str, str]) -> list[str]:
    """The command that trains a config with some of its fields changed."""
    changes = [f"--config.{name}={value}" for name, value in fields.items()]
    return [*MAIN, f"--config={ROOT / config}", f"--workdir={workdir}", *changes]


def run_jobs(jobs: Sequence[Job]) -> None:
    """Run the jobs that are not done, as many at a time as there are cores, each held to one.

    A job that fails keeps further ones from starting (SystemExit names its log); the same command
    goes on.
    """
    cores: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)
    waiting = [job for job in jobs if not job.results.exists()]
    with ThreadPoolExecutor(cores.qsize()) as pool:
        done = [pool.submit(_run, job, cores) for job in waiting]
        try:
            for future in as_completed(done):
                print(f"{future.result()}: done", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(job: Job, cores: queue.SimpleQueue[int]) -> str:
    job.workdir.parent.mkdir(parents=True, exist_ok=True)
    core = cores.get()
    try:
        with pathlib.Path(f"{job.workdir}.log").open("w") as log:
            for command in job.commands:
                process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
                os.sched_setaffinity(process.pid, {core})
                if process.wait():
                    raise SystemExit(f"{job.name}: failed, see {job.workdir}.log")
    finally:
        cores.put(core)
    return job.name


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Arguments of `data_fields` that every experiment on real texts has."""
    where = "folder of {train,dev,test}.jsonl.gz; of graphs: an .npz file"
    parser.add_argument("--data", required=True, help=where)
    inputs = parser.add_mutually_exclusive_group()
    inputs.add_argument("--vectors", help="word vectors in GloVe's text format")
    inputs.add_argument("--encoder", help="Hugging Face directory of a pretrained encoder")
    parser.add_argument("--train-rows", type=int, default=0, help="draw so many; 0: all")
    parser.add_argument("--dev-rows", type=int, default=0, help="draw so many; 0: all")
    parser.add_argument("--test-rows", type=int, default=0, help="draw so many; 0: all")


def data_fields(arguments: argparse.Namespace, folder: pathlib.Path) -> dict[str, str]:
    """The config's fields for the data and what reads them; drawn rows are kept in the folder.

    Graphs are read from one file of all splits, and by nothing else. SystemExit where texts lack
    their vectors or encoder.
    """
    if arguments.data.endswith(".npz"):
        return {"data.name": "graphs", "data.train": str(pathlib.Path(arguments.data).absolute())}
    if not (arguments.vectors or arguments.encoder):
        raise SystemExit("texts need word vectors or an encoder: name --vectors or --encoder")
    fields = {}
    for split in SPLITS:
        path = pathlib.Path(arguments.data).absolute() / f"{split}.jsonl.gz"
        rows = getattr(arguments, f"{split}_rows")
        drawn = folder.absolute() / f"{split}_{rows}.jsonl.gz"
        fields[f"data.{split}"] = str(draw_rows(path, rows, drawn) if rows else path)
    if arguments.encoder:
        encoder = str(pathlib.Path(arguments.encoder).absolute())
        return fields | {"model.name": "transformer", "encoder.pretrained": encoder}
    return fields | {"data.vectors": str(pathlib.Path(arguments.vectors).absolute())}


def told_rows(arguments: argparse.Namespace) -> str:
    """Which splits were cut to how many rows, for the top of a result file."""
    cut = [
        f"{split} drawn to {getattr(arguments, f'{split}_rows')}"
        for split in SPLITS
        if getattr(arguments, f"{split}_rows")
    ]
    return ", ".join(cut) or "all"


def draw_rows(path: pathlib.Path, rows: int, drawn: pathlib.Path) -> pathlib.Path:
    """Write a uniform draw of a file's rows, the same at every call, in the file's order."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    chosen = np.sort(np.random.default_rng(0).permutation(len(lines))[:rows])
    drawn.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(drawn, "wt", encoding="utf-8") as file:
        file.writelines(lines[i] for i in chosen)
    return drawn
