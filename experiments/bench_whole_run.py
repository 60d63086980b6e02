"""Five seeds of N2R on a corpus of Beer-Appearance's size: a whole run, from launch to the end.

    python -m experiments.bench_whole_run                                   # 300 epochs: on a GPU
    python -m experiments.bench_whole_run --texts 512 --epochs 1 --seeds 1 2        # anywhere

The launch is a user's own (n2r_jax.main, the config of the table's row, every epoch scored on dev
and saved). Texts are random words at reviews' lengths; a tenth are words that only texts of their
label have, so that there is something to learn. Writes bench/whole-run-<machine>.json.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from experiments.bench import REPO, slug
from experiments.bench_lengths import review_lengths
from experiments.bench_machine import machine

TRAIN, DEV = 33_782, 8_731
"""Beer-Appearance's, balanced (N2R's Table 5)."""
VOCABULARY, TELLING = 20_000, 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it whole; returns 0, or what the run ended with."""
    options = parse(arguments)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, pathlib.Path(folder))
    console.print_json(data=found)
    if found["code"]:
        return found["code"]
    name = found["device"] or found["machine"]["cpu"]
    out = options.out or REPO / "bench" / f"whole-run-{slug(name)}.json"
    out.write_text(json.dumps(found, indent=2) + "\n")
    console.print(f"written to {out}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=TRAIN, help=f"of train (default {TRAIN})")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3, 4, 5))
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/whole-run-<machine>.json")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Write the corpus, run, and tell the seconds of start and epochs."""
    dev = max(2, options.texts * DEV // TRAIN)
    for split, texts in (("train", options.texts), ("dev", dev)):
        write_texts(folder / f"{split}.jsonl", texts, seed=len(split))
    command = [sys.executable, "-m", "n2r_jax.main", f"--workdir={folder / 'run'}"]
    command += [f"--config={REPO / 'configs' / 'beer_appearance_n2r.py'}"]
    fields = {"data.name": "files", "data.cache": "off", "training.epochs": options.epochs}
    fields |= {f"data.{split}": folder / f"{split}.jsonl" for split in ("train", "dev")}
    fields["seeds"] = ",".join(map(str, options.seeds))
    command += [f"--config.{name}={value}" for name, value in fields.items()]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    whole = time.perf_counter() - start
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
    first = re.search(r"first step ([\d.]+) s after launch", done.stdout + done.stderr)
    first_step = float(first[1]) if first else float("nan")
    return {
        "code": done.returncode,
        "machine": machine(),
        "device": device_name(done.stdout),
        "texts": options.texts,
        "seeds": list(options.seeds),
        "epochs": options.epochs,
        "first_step_s": first_step,
        "whole_run_s": whole,
        "epoch_of_all_seeds_s": (whole - first_step) / options.epochs,
    }


def device_name(told: str) -> str:
    """The GPU that the run said it is on; empty on a CPU."""
    found = re.search(r", on \d+ x (.+)", told)
    return "" if found is None or found[1].strip() == "cpu" else found[1].strip()


def write_texts(path: pathlib.Path, texts: int, seed: int) -> None:
    """Labelled texts of reviews' lengths, half of either label."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{number}" for number in range(VOCABULARY)])
    with path.open("w") as file:
        for number, length in enumerate(review_lengths(texts, seed)):
            label = number % 2
            drawn = rng.integers(2 * TELLING, VOCABULARY, length)
            telling = rng.integers(label * TELLING, (label + 1) * TELLING, length)
            tokens = words[np.where(rng.random(length) < 0.1, telling, drawn)].tolist()
            row = {"id": str(number), "tokens": tokens, "label": label}
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
