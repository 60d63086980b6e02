"""N2R on two BERT-base encoders, ours against PyTorch's, on this machine: seconds and memory.

    python -m experiments.bench_transformer                     # 12 layers, 16 texts of 256 pieces
    python -m experiments.bench_transformer --dropouts 0.1,0.1 --rounds 3
    python -m experiments.bench_transformer --smoke             # tiny sizes

Two such games do not fit into one machine's memory side by side, so every turn is a process of its
own: its first iteration does not count (it compiles), then come one by the clock on the wall and
one by the processor's, which other jobs on the machine disturb less. Sides take turns. Prints a
table and writes bench/transformer-<cpu>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.bench import OURS, REPO, TORCH, busy, slug, spread, torch_python
from experiments.bench_driver import Worker, summarize
from experiments.bench_machine import machine

HERE = pathlib.Path(__file__).parent
SMOKE = {"layers": 2, "hidden": 32, "heads": 2, "inner": 48, "vocabulary": 50}
SMOKE |= {"batch": 4, "length": 16}
CLOCKS = ("wall", "processor")


@dataclasses.dataclass(frozen=True)
class Turn:
    """What one process of one side said."""

    first: float
    """Seconds of the iteration that does not count."""
    seconds: Mapping[str, float]
    """Of an iteration, by the clock."""
    peak_mb: float


Turns = dict[str, list[Turn]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    options = parse(arguments)
    console, found = Console(), machine()
    load = os.getloadavg()[0]
    if warning := busy(load, found["cores"]):
        console.print(warning, style="yellow")
    commands = {OURS: [sys.executable, "-m", "experiments.bench_transformer_jax"]}
    if python := torch_python(console):
        commands[TORCH] = [python, HERE / "bench_transformer_torch.py"]
    out = options.out or REPO / "bench" / f"transformer-{slug(found['cpu'])}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    noted = {"machine": found, "load_before": load, "rounds": options.rounds}
    rows: dict[str, Turns] = {}
    for name, fields in settings(options):
        rows[name] = measure(commands, fields, options.rounds, options.repeat)
        console.print(table({name: rows[name]}))
        # Row by row: a row takes a quarter of an hour, and what was measured is not to be lost.
        out.write_text(json.dumps(noted | {"rows": record(rows)}, indent=2) + "\n")
    console.print(f"written to {out}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (default 5)")
    parser.add_argument("--repeat", type=int, default=2, help="iterations a clock (default 2)")
    parser.add_argument("--orders", nargs="+", default=("paper",), choices=("paper", "release"))
    every = ("0.1,0.1", "0.1,0", "0,0")
    parser.add_argument(
        "--dropouts", nargs="+", default=every, help=f"states', attention's (default {every})"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/transformer-<cpu>.json")
    return parser.parse_args(arguments)


def settings(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row's name and the fields of its setup."""
    for order in options.orders:
        for pair in options.dropouts:
            dropout, attention = map(float, pair.split(","))
            name = f"{order}'s order, dropout {dropout:g}, of attention {attention:g}"
            rates = {"dropout": dropout, "attention_dropout": attention}
            yield name, {"order": order, **rates, **(SMOKE if options.smoke else {})}


def measure(
    commands: Mapping[str, Sequence[str | pathlib.Path]],
    fields: Mapping[str, Any],
    rounds: int,
    repeat: int,
) -> Turns:
    """`rounds` turns of each side, to and fro."""
    turns: Turns = {name: [] for name in commands}
    for number in range(rounds):
        for name in list(commands)[:: 1 if number % 2 == 0 else -1]:
            turns[name].append(turn(commands[name], fields, repeat))
    return turns


def turn(command: Sequence[str | pathlib.Path], fields: Mapping[str, Any], repeat: int) -> Turn:
    """One process: it starts, iterates and ends."""
    with Worker(command) as worker:
        worker.ask({"do": "setup", **fields})
        first = worker.ask({"do": "train"}, limit=1800)["seconds"][0]
        seconds, peak_mb = {}, 0.0
        for clock in CLOCKS:
            answer = worker.ask({"do": "train", "clock": clock, "repeat": repeat}, limit=1800)
            seconds[clock], peak_mb = min(answer["seconds"]), answer["peak_mb"]
    return Turn(first, seconds, peak_mb)


def table(rows: Mapping[str, Turns], of: str = "N2R") -> Table:
    """Seconds and ratios, each with its quartiles, and memory."""
    shown = Table(title=f"one iteration of {of}, median [quartiles] of the turns")
    for column in ("", "side", "wall s", "x PyTorch", "processor s", "x PyTorch", "peak MB"):
        shown.add_column(column, justify="left" if column in ("", "side") else "right")
    for row, turns in rows.items():
        by_clock = [summaries(turns, clock) for clock in CLOCKS]
        for index, side in enumerate(turns):
            cells = []
            for found in by_clock:
                ratio = spread(found[side].median_ratio, found[side].ratio_quartiles, 2)
                cells += [spread(found[side].median, found[side].quartiles, 2)]
                cells += [ratio if TORCH in turns else "-"]
            peak = max(one.peak_mb for one in turns[side])
            shown.add_row("" if index else row, side, *cells, f"{peak:.0f}")
        shown.add_section()
    return shown


def summaries(turns: Turns, clock: str) -> dict[str, Any]:
    """Each side beside PyTorch, or beside ourselves where there is none."""
    seconds = {side: [one.seconds[clock] for one in several] for side, several in turns.items()}
    return summarize(seconds, TORCH if TORCH in turns else next(iter(turns)))


def record(rows: Mapping[str, Turns]) -> dict[str, Any]:
    """Everything for the JSON file."""
    return {
        row: {
            side: {
                "turns": [dataclasses.asdict(one) for one in several],
                **{clock: dataclasses.asdict(summaries(turns, clock)[side]) for clock in CLOCKS},
            }
            for side, several in turns.items()
        }
        for row, turns in rows.items()
    }


if __name__ == "__main__":
    sys.exit(main())
