"""How the cost of a training iteration grows with batch, length and number of seeds.

    make bench-growth          (or: python -m experiments.bench_growth --quick)

For every point each side gets a fresh process, which tells its peak memory too, and both take turns
within each round. Several seeds are one program of ours, and one after the other in PyTorch. Writes
bench/growth-<cpu>.json and a picture beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench import OURS, OURS_COMMAND, REPO, TORCH, busy, slug, torch_python
from experiments.bench_driver import Seconds, Worker, interleave
from experiments.bench_machine import find_torch_python, machine
from n2r_jax import runtime

Sizes = Mapping[str, int]
Commands = Mapping[str, list[str | pathlib.Path]]


@dataclasses.dataclass(frozen=True)
class Axis:
    """What grows, through which values, and the sizes that stay."""

    name: str
    values: tuple[int, ...]
    fixed: Sizes

    def points(self) -> list[dict[str, int]]:
        """All sizes of each point."""
        return [{"seeds": 1, **self.fixed, self.name: value} for value in self.values]


AXES = (
    Axis("batch", (32, 64, 128, 256, 512), {"length": 256}),
    Axis("length", (64, 128, 256, 512, 1024), {"batch": 128}),
    Axis("seeds", (1, 2, 4, 8, 16, 32), {"batch": 32, "length": 128}),
)
TINY = {"units": 4, "embedding": 8, "vocabulary": 100}
QUICK_AXES = (
    Axis("batch", (8, 16), {"length": 16, **TINY}),
    Axis("seeds", (1, 2), {"batch": 8, "length": 16, **TINY}),
)


@dataclasses.dataclass(frozen=True)
class Point:
    """What an iteration costs at some sizes, by side."""

    seconds: Seconds
    """Of every round."""
    peak_mb: dict[str, float]

    def median(self, side: str) -> float:
        """Seconds of the middle round."""
        return float(np.median(self.seconds[side]))


@dataclasses.dataclass(frozen=True)
class Growth:
    """An axis with its points."""

    axis: Axis
    points: list[Point]

    @property
    def sides(self) -> list[str]:
        """Ours, and PyTorch where there is one."""
        return list(self.points[0].seconds)

    def exponent(self, side: str) -> float:
        """Least-squares power of the value that the seconds grow with; 1: linear."""
        seconds = [point.median(side) for point in self.points]
        return float(np.polyfit(np.log(self.axis.values), np.log(seconds), 1)[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (default 3)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: does it run?")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/growth-<cpu>.json")
    options = parser.parse_args(arguments)
    console, found, load = Console(), machine(), os.getloadavg()[0]
    if warning := busy(load, found["cores"]):
        console.print(warning, style="yellow")
    python = find_torch_python(REPO) if options.quick else torch_python(console)
    axes, rounds = (QUICK_AXES, 1) if options.quick else (AXES, options.rounds)
    grown = measure(axes, commands(python), rounds, console.log)
    for growth in grown:
        console.print(table(growth))
    out = options.out or REPO / "bench" / f"growth-{slug(found['cpu'])}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    noted = {"machine": found, "load_before": load, "rounds": rounds, "axes": record(grown)}
    out.write_text(json.dumps(noted, indent=2) + "\n")
    draw(grown, out.with_suffix(".png"), f"{found['cpu']}, {found['cores']} cores")
    console.print(f"written to {out} and {out.with_suffix('.png').name}")
    return 0


def commands(python: pathlib.Path | None) -> Commands:
    """How to start either side."""
    if python is None:
        return {OURS: OURS_COMMAND}
    reference = pathlib.Path(__file__).with_name("torch_reference.py")
    return {OURS: OURS_COMMAND, TORCH: [python, reference]}


def measure(
    axes: Sequence[Axis], commands: Commands, rounds: int, say: Callable[[str], object]
) -> list[Growth]:
    """All points of all axes; one that stands on two of them is measured once."""
    known: dict[str, Point] = {}
    for axis in axes:
        for sizes in axis.points():
            name = name_of(sizes)
            if name not in known:
                known[name] = point = measure_point(commands, sizes, rounds)
                shown = (f"{side} {point.median(side):.3f} s" for side in point.seconds)
                say(f"{name}: {', '.join(shown)}")
    return [Growth(axis, [known[name_of(sizes)] for sizes in axis.points()]) for axis in axes]


def name_of(sizes: Sizes) -> str:
    """Sizes in words, in one order."""
    return ", ".join(f"{name} {value}" for name, value in sorted(sizes.items()))


def measure_point(commands: Commands, sizes: Sizes, rounds: int) -> Point:
    """Fresh processes, a round for compilation, then the rounds that count."""
    own = {name: value for name, value in sizes.items() if name != "seeds"}
    seeds = sizes["seeds"]
    requests = {OURS: [{"do": "train", "repeat": 2}], TORCH: [{"do": "train"}] * seeds}
    if seeds == 1:
        requests[TORCH] = requests[OURS]
    setups = {OURS: {"runs": seeds}, TORCH: {"threads": runtime.cores()}}
    with contextlib.ExitStack() as stack:
        workers = {side: stack.enter_context(Worker(command)) for side, command in commands.items()}
        for side, worker in workers.items():
            worker.ask({"do": "setup", "order": "release", **own, **setups[side]})
        seconds = interleave(workers, requests, rounds=rounds)
        peaks = {side: worker.ask({"do": "train"})["peak_mb"] for side, worker in workers.items()}
    return Point(seconds, peaks)


def table(growth: Growth) -> Table:
    """Seconds and memory at every value; below them the powers they grow with."""
    shown = Table(title=f"growing {growth.axis.name}", show_footer=True)
    shown.add_column(growth.axis.name, "grows with", justify="right")
    for side in growth.sides:
        power = f"{growth.axis.name}^{growth.exponent(side):.2f}"
        shown.add_column(f"{side} s", power, justify="right")
        shown.add_column("peak MB", justify="right")
    if TORCH in growth.sides:
        shown.add_column("times PyTorch", justify="right")
    for value, point in zip(growth.axis.values, growth.points, strict=True):
        cells = []
        for side in growth.sides:
            cells += [f"{point.median(side):.3f}", f"{point.peak_mb[side]:.0f}"]
        if TORCH in growth.sides:
            cells.append(f"{point.median(TORCH) / point.median(OURS):.2f}")
        shown.add_row(str(value), *cells)
    return shown


def record(grown: Sequence[Growth]) -> dict[str, Any]:
    """Everything for the JSON file, the rounds too."""

    def of_side(growth: Growth, side: str) -> dict[str, Any]:
        return {
            "exponent": growth.exponent(side),
            "seconds": [point.median(side) for point in growth.points],
            "rounds": [point.seconds[side] for point in growth.points],
            "peak_mb": [point.peak_mb[side] for point in growth.points],
        }

    return {
        growth.axis.name: {
            "values": growth.axis.values,
            "fixed": dict(growth.axis.fixed),
            "sides": {side: of_side(growth, side) for side in growth.sides},
        }
        for growth in grown
    }


def draw(grown: Sequence[Growth], path: pathlib.Path, title: str) -> None:
    """Seconds above and memory below, over every axis, all scales logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(4 * len(grown), 7), layout="constrained")
    figure.suptitle(f"one training iteration of N2R, GRU; {title}")
    panels = figure.subplots(2, len(grown), squeeze=False)
    for column, growth in enumerate(grown):
        values = growth.axis.values
        for side in growth.sides:
            seconds = [point.median(side) for point in growth.points]
            label = f"{side}: ~ {growth.axis.name}^{growth.exponent(side):.2f}"
            panels[0, column].plot(values, seconds, "o-", label=label)
            memory = [point.peak_mb[side] for point in growth.points]
            panels[1, column].plot(values, memory, "o-", label=side)
        for row, unit in enumerate(("seconds", "peak MB of a process")):
            panel = panels[row, column]
            panel.set(xscale="log", yscale="log", ylabel=unit)
            panel.set_xlabel(f"{growth.axis.name} ({name_of(growth.axis.fixed)})", fontsize=8)
            panel.set_xticks(values, [str(value) for value in values])
            panel.minorticks_off()
            # Decades alone would leave an axis of less than one without any number.
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.grid(alpha=0.3)
            panel.legend(fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    sys.exit(main())
