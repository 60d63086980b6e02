"""Our training step and evaluation against PyTorch's, on this machine.

    make bench          (or: python -m experiments.bench --quick)

Both sides run in processes of their own and take turns within every round: on the GPU that JAX
finds, where PyTorch's GRU is cuDNN's, or else on the CPU. Prints a table and writes
bench/<machine>.json. Without a PyTorch to be found or made, our own seconds are still printed.

    train       an iteration on a batch of 128 texts of 256 tokens
    evaluate    a split of eight such batches, from word ids to selected words and classes: ours
                finds the split's words and projects them in that time, PyTorch goes batch by batch
    explain     2,048 texts of reviews' lengths, from lists of words to the same: ours looks up,
                puts texts of one length together and makes the explanations that a user gets;
                PyTorch looks up and pads 256 texts at a time, as they come, to their longest
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.bench_driver import Seconds, Summary, Worker, interleave, summarize
from experiments.bench_lengths import explain_request, real_requests
from experiments.bench_machine import find_torch_python, machine, make_torch_venv
from experiments.bench_worker import Settings

REPO = pathlib.Path(__file__).parents[1]
OURS, TORCH = "n2r_jax", "PyTorch"
TORCH_RELEASE = "PyTorch, the release's order"
OURS_COMMAND: list[str | pathlib.Path] = [sys.executable, "-m", "experiments.bench_jax"]
SEEDS = 5
TRAIN, EVALUATE = {"do": "train", "repeat": 3}, {"do": "evaluate", "batches": 8, "repeat": 3}
"""Of each turn's repeats the median counts: the first has to take back memory and caches."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: what was timed, and the seconds of every side's rounds."""

    name: str
    seconds: Seconds
    tokens: int | None = None
    """Real tokens of a round, where the row is told by tokens a second."""

    def summaries(self) -> dict[str, Summary]:
        """Each side beside PyTorch, or beside ourselves where there is none."""
        reference = TORCH if TORCH in self.seconds else next(iter(self.seconds))
        return summarize(self.seconds, reference)


@dataclasses.dataclass(frozen=True)
class Start:
    """How a side begins: the first step with its compilation, and the memory a step needs."""

    first_step: float
    peak_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (default 9)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, no real lengths")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/<machine>.json")
    options = parser.parse_args(arguments)
    console, found = Console(), machine()
    load = os.getloadavg()[0]
    if warning := busy(load, found["cores"]):
        console.print(warning, style="yellow")
    rounds = 3 if options.quick else options.rounds
    rows, starts, versions = measure(torch_python(console), rounds, options.quick)
    console.print(table(rows), starts_table(starts))
    device = versions[OURS].get("device_name") or found["cpu"]
    out = options.out or REPO / "bench" / f"{slug(device)}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    noted = {"machine": found, "load_before": load, "rounds": rounds, "versions": versions}
    out.write_text(json.dumps(noted | record(rows, starts), indent=2) + "\n")
    console.print(f"written to {out}")
    return 0


def busy(load: float, cores: int) -> str | None:
    """A warning where other jobs would share the cores with both sides."""
    if load <= 0.25 * cores:
        return None
    return f"load average {load:.1f} on {cores} cores: other jobs are running, ratios will wander"


def torch_python(console: Console) -> pathlib.Path | None:
    """A Python with PyTorch, made if need be; None, and what to do, if that fails."""
    try:
        return find_torch_python(REPO) or make_torch_venv(REPO)
    except (RuntimeError, FileNotFoundError) as error:
        console.print(f"no PyTorch to compare with: {error}", style="yellow")
        return None


def measure(
    python: pathlib.Path | None, rounds: int, quick: bool
) -> tuple[list[Row], dict[str, Start], dict[str, Any]]:
    """Time everything; workers of one order live together, so that memory is that of one job."""
    rows, starts, versions = [], {}, {}
    for order in ("release", "paper"):
        with contextlib.ExitStack() as stack:
            workers = start_workers(stack, python, order)
            for name, worker in workers.items():
                setup = {"do": "setup", "order": "release" if name == TORCH_RELEASE else order}
                if name != OURS:
                    setup["device"] = versions[OURS].get("device", "cpu")
                versions[name] = worker.ask(setup)["versions"]
                answer = worker.ask(TRAIN)
                first, peak = answer["seconds"][0], answer["peak_mb"]
                starts[f"{name}, {order}'s order"] = Start(first, peak)
            rows.append(Row(f"train, {order}'s order", interleave(workers, [TRAIN], rounds=rounds)))
            if order == "release":
                both = {name: workers[name] for name in (OURS, TORCH) if name in workers}
                rows.append(time_evaluation(both, rounds))
                if not quick:
                    rows.append(time_explaining(both, rounds))
                    rows.append(Row("train, real lengths", time_real_lengths(both, rounds)))
                    rows.append(Row(f"train, {SEEDS} seeds at once", time_seeds(workers, rounds)))
    return rows, starts, versions


def start_workers(
    stack: contextlib.ExitStack, python: pathlib.Path | None, order: str
) -> dict[str, Worker]:
    """A fresh process for each side.

    In the paper's order PyTorch once more in the release's, which is how its users run it.
    """
    commands: dict[str, list[str | pathlib.Path]] = {OURS: OURS_COMMAND}
    if python is not None:
        commands[TORCH] = [python, pathlib.Path(__file__).with_name("torch_reference.py")]
    workers = {name: stack.enter_context(Worker(command)) for name, command in commands.items()}
    if order == "paper" and python is not None:
        workers[TORCH_RELEASE] = stack.enter_context(Worker(commands[TORCH]))
    return workers


def time_evaluation(workers: Mapping[str, Worker], rounds: int) -> Row:
    """A split of full batches."""
    sizes = Settings()
    tokens = EVALUATE["batches"] * sizes.batch * sizes.length
    return Row("evaluate", interleave(workers, [EVALUATE], rounds=rounds), tokens)


def time_explaining(workers: Mapping[str, Worker], rounds: int) -> Row:
    """Texts of reviews' lengths; a side's first turn opens its run."""
    request = explain_request()
    return Row("explain", interleave(workers, [request], rounds=rounds), sum(request["lengths"]))


def time_seeds(workers: Mapping[str, Worker], rounds: int) -> Seconds:
    """Several seeds as one program of ours beside a single one, and PyTorch's one by one."""
    with Worker(OURS_COMMAND) as together:
        together.ask({"do": "setup", "order": "release", "runs": SEEDS})
        several = {f"{OURS}, {SEEDS} seeds": together, f"{OURS}, 1 seed": workers[OURS]}
        requests = {name: [TRAIN] for name in several}
        if TORCH in workers:
            several[TORCH] = workers[TORCH]
            requests[TORCH] = [{"do": "train"}] * SEEDS
        return interleave(several, requests, rounds=max(3, rounds // 3))


def time_real_lengths(workers: Mapping[str, Worker], rounds: int) -> Seconds:
    """Eight batches of reviews' lengths: ours in buckets, PyTorch's in three ways."""
    ways = real_requests()
    sides = {OURS: (OURS, "buckets")}
    if TORCH in workers:
        sides |= {TORCH: (TORCH, "padded"), f"{TORCH}, trimmed": (TORCH, "trimmed")}
        sides[f"{TORCH}, buckets"] = (TORCH, "buckets")
    by_side = {side: workers[worker] for side, (worker, _) in sides.items()}
    return interleave(
        by_side, {side: ways[way] for side, (_, way) in sides.items()}, rounds=max(3, rounds // 3)
    )


def table(rows: Sequence[Row]) -> Table:
    """Seconds and ratios, each with its quartiles, and tokens a second at the median."""
    shown = Table(title="seconds, median [quartiles]")
    for column in ("", "side", "seconds", "tokens a second", "times PyTorch"):
        shown.add_column(column, justify="left" if column in ("", "side") else "right")
    for row in rows:
        for index, (side, s) in enumerate(row.summaries().items()):
            ratio = spread(s.median_ratio, s.ratio_quartiles, 2) if TORCH in row.seconds else "-"
            speed = f"{row.tokens / s.median:,.0f}" if row.tokens else ""
            seconds = spread(s.median, s.quartiles, 3)
            shown.add_row("" if index else row.name, side, seconds, speed, ratio)
        shown.add_section()
    return shown


def spread(middle: float, quartiles: tuple[float, float], digits: int) -> str:
    """A median with its quartiles."""
    low, high = (f"{value:.{digits}f}" for value in quartiles)
    return f"{middle:.{digits}f} [{low}, {high}]"


def starts_table(starts: Mapping[str, Start]) -> Table:
    """First step and peak memory of each fresh process."""
    shown = Table("side", "first step s", "peak MB", title="fresh processes")
    for name, start in starts.items():
        shown.add_row(name, f"{start.first_step:.1f}", f"{start.peak_mb:.0f}")
    return shown


def record(rows: Sequence[Row], starts: Mapping[str, Start]) -> dict[str, Any]:
    """Everything for the JSON file; the rounds themselves too, for other statistics."""
    return {
        "rows": {
            row.name: {
                side: dataclasses.asdict(summary) | {"rounds": row.seconds[side]}
                for side, summary in row.summaries().items()
            }
            for row in rows
        },
        "tokens": {row.name: row.tokens for row in rows if row.tokens},
        "starts": {name: dataclasses.asdict(start) for name, start in starts.items()},
    }


def slug(name: str) -> str:
    """A file name for a machine."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name.lower())).strip("-")


if __name__ == "__main__":
    sys.exit(main())
