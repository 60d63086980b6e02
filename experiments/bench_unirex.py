"""UNIREX's SLM-FP at a small transformer's size, ours against PyTorch's, on this machine.

    python -m experiments.bench_unirex              # 6 layers of 384, 16 texts of 64 pieces
    python -m experiments.bench_unirex --smoke      # tiny sizes

An iteration is the extractor's pass, eleven passes of the predictor in one batch (the text, and for
each k of 1, 5, 10, 20, 50 % the text without its rationale and the rationale alone), the backward
pass of all, and Adam. Without dropout, as UNIREX's release trains all batches but an epoch's first.
Turns, clocks and the file are those of `bench_transformer`: bench/unirex-<cpu>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Sequence

from rich.console import Console

from experiments.bench import OURS, REPO, TORCH, busy, slug, torch_python
from experiments.bench_machine import machine
from experiments.bench_transformer import SMOKE, measure, record, table

HERE = pathlib.Path(__file__).parent
SIZES = {"layers": 6, "hidden": 384, "heads": 12, "inner": 1536, "batch": 16, "length": 64}
WITHOUT_DROPOUT = {"head_dropout": 0.0, "dropout": 0.0, "attention_dropout": 0.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    options = parse(arguments)
    console, found = Console(), machine()
    load = os.getloadavg()[0]
    if warning := busy(load, found["cores"]):
        console.print(warning, style="yellow")
    commands = {OURS: [sys.executable, "-m", "experiments.bench_unirex_jax"]}
    if python := torch_python(console):
        commands[TORCH] = [python, HERE / "bench_unirex_torch.py"]
    fields = (SMOKE if options.smoke else SIZES) | WITHOUT_DROPOUT
    rows = {"SLM-FP": measure(commands, fields, options.rounds, options.repeat)}
    console.print(table(rows, "UNIREX"))
    out = options.out or REPO / "bench" / f"unirex-{slug(found['cpu'])}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    noted = {"machine": found, "load_before": load, "rounds": options.rounds, "sizes": fields}
    out.write_text(json.dumps(noted | {"rows": record(rows)}, indent=2) + "\n")
    console.print(f"written to {out}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (default 5)")
    parser.add_argument("--repeat", type=int, default=3, help="iterations a clock (default 3)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/unirex-<cpu>.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
