"""A bidirectional GRU on a GPU: our Pallas kernels against XLA's scan and torch.nn.GRU (cuDNN).

    python -m experiments.bench_gru                    # at the paper's size, on a GPU
    python -m experiments.bench_gru --texts 4 8 16 32 --warps 4 8
    python -m experiments.bench_gru --smoke            # tiny and interpreted, on a CPU

PyTorch runs by the Python that N2R_TORCH_PYTHON names; without one it is left out. All sides take
turns within every round; what ran before them is checked: the results of the two JAX sides must
agree. Prints a table and writes bench/gru-<device>.json. No figure of it is known yet: it was only
ever run with --smoke, whose seconds mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.bench import slug, spread
from experiments.bench_driver import Seconds, Summary, Worker, WorkerError, interleave, summarize
from experiments.bench_gru_jax import PALLAS, SCAN, JaxSides
from experiments.bench_machine import find_torch_python, machine

REPO = pathlib.Path(__file__).parents[1]
TORCH = "torch.nn.GRU"
ACTIONS = {"forward": "forward", "train": "forward and backward"}
FORMATS = ("float32", "bfloat16_3x", "tf32", "bfloat16")
"""How numbers are multiplied; bfloat16_3x is float32 of three bfloat16 products, Pallas alone."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: what was timed in which format, and each side's seconds."""

    action: str
    format: str
    seconds: Seconds
    left_out: dict[str, str]
    """Why a side could not do it."""

    def summaries(self) -> dict[str, Summary]:
        """Each side beside the scan, or beside the first where there is no scan."""
        if not self.seconds:
            return {}
        reference = SCAN if SCAN in self.seconds else next(iter(self.seconds))
        return summarize(self.seconds, reference)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0, or 2 where there is no GPU to run it on."""
    options = parse(arguments)
    console, sides = Console(), JaxSides(**sizes(options))
    if not (sides.on_gpu or options.smoke):
        console.print("JAX sees no GPU here; --smoke runs tiny sizes on a CPU", style="red")
        return 2
    with contextlib.ExitStack() as stack:
        workers = start(stack, sides, options, console)
        rows = [
            measure(workers, action, format_, options)
            for format_ in formats(options)
            for action in ACTIONS
        ]
    console.print(table(rows))
    for row in rows:
        for side, error in row.left_out.items():
            console.print(f"{side}, {row.format}, {row.action}: {error}", style="yellow")
    out = options.out or REPO / "bench" / f"gru-{slug(sides.device)}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record(rows, sides, options), indent=2) + "\n")
    console.print(f"written to {out}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --smoke makes every size small."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, runs on a CPU too")
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (default 9)")
    parser.add_argument("--calls", type=int, default=20, help="calls of one round (default 20)")
    for name, value in (("steps", 256), ("batch", 128), ("features", 100), ("units", 100)):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--texts", type=int, nargs="+", help="tiles to try; default: the usual")
    parser.add_argument("--warps", type=int, nargs="+", help="warps to try; default: the usual")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/gru-<device>.json")
    options = parser.parse_args(arguments)
    options.torch = None  # its versions, once it has started
    if options.smoke:
        options.rounds, options.calls = 2, 1
        options.steps, options.batch, options.features, options.units = 6, 10, 5, 7
    return options


def sizes(options: argparse.Namespace) -> dict[str, int]:
    """Sizes of the GRU and of its batch."""
    return {name: getattr(options, name) for name in ("steps", "batch", "features", "units")}


def formats(options: argparse.Namespace) -> list[str]:
    """Those asked for; interpreted kernels know float32 and bfloat16 alone."""
    return [f for f in options.formats if not options.smoke or f in ("float32", "bfloat16")]


def start(
    stack: contextlib.ExitStack, sides: JaxSides, options: argparse.Namespace, console: Console
) -> dict[str, Any]:
    """Who answers for each side: the kernels once for each tile and number of warps."""
    workers: dict[str, Any] = {SCAN: sides.side(SCAN)}
    for texts, warps in itertools.product(options.texts or [None], options.warps or [None]):
        side = sides.side(PALLAS, texts=texts, warps=warps)
        workers[side.name] = side
    if not os.environ.get("N2R_TORCH_PYTHON"):
        console.print("no PyTorch to compare with: N2R_TORCH_PYTHON names none", style="yellow")
        return workers
    script = pathlib.Path(__file__).with_name("bench_gru_torch.py")
    worker = stack.enter_context(Worker([str(find_torch_python(REPO)), script]))
    try:
        setup = {"do": "setup", "device": "cuda" if sides.on_gpu else "cpu", **sizes(options)}
        options.torch = worker.ask(setup)["versions"]
        workers[TORCH] = worker
    except WorkerError as error:
        console.print(f"{TORCH} is left out: {error}", style="yellow")
    return workers


def measure(
    workers: Mapping[str, Any], action: str, format_: str, options: argparse.Namespace
) -> Row:
    """Time every side that can do it; what stops one must not stop the others."""
    request = {"do": action, "format": format_, "calls": options.calls}
    able, left_out = {}, {}
    for name, worker in workers.items():
        if format_ == "bfloat16_3x" and not name.startswith(PALLAS):
            continue
        try:
            worker.ask(request)
            able[name] = worker
        except Exception as error:
            left_out[name] = str(error)
    seconds = interleave(able, [request], rounds=options.rounds) if able else {}
    each = {name: [value / options.calls for value in found] for name, found in seconds.items()}
    return Row(action, format_, each, left_out)


def table(rows: Sequence[Row]) -> Table:
    """Milliseconds and how many times as fast as the scan."""
    shown = Table(title="milliseconds of one bidirectional GRU, median [quartiles]")
    for column in ("", "format", "side"):
        shown.add_column(column)
    for column in ("milliseconds", "times the scan"):
        shown.add_column(column, justify="right")
    for row in rows:
        for index, (side, s) in enumerate(row.summaries().items()):
            first = ("", "") if index else (ACTIONS[row.action], row.format)
            scaled = spread(1e3 * s.median, (1e3 * s.quartiles[0], 1e3 * s.quartiles[1]), 3)
            ratio = spread(s.median_ratio, s.ratio_quartiles, 2) if SCAN in row.seconds else "-"
            shown.add_row(*first, side, scaled, ratio)
        shown.add_section()
    return shown


def record(rows: Sequence[Row], sides: JaxSides, options: argparse.Namespace) -> dict[str, Any]:
    """Everything for the JSON file; the rounds themselves too, for other statistics."""
    named = {
        f"{ACTIONS[row.action]}, {row.format}": {
            side: dataclasses.asdict(summary) | {"rounds": row.seconds[side]}
            for side, summary in row.summaries().items()
        }
        | {side: {"left_out": error} for side, error in row.left_out.items()}
        for row in rows
    }
    noted = {"machine": machine(), "device": sides.device, "torch": options.torch}
    noted |= {"smoke": options.smoke}
    return noted | {"sizes": sizes(options), "calls": options.calls, "rows": named}


if __name__ == "__main__":
    sys.exit(main())
