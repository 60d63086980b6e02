"""The main job on data that needs no download: train, evaluate, show ten rationales.

    make demo          (or: python -m experiments.demo --workdir runs/demo)

Trains N2R+MMI and, as its yardstick, RNP with the same settings on the embedded hotel reviews, then
scores both on test reviews that training never saw.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import shutil
import time

from n2r_jax import runtime

SHOWN = 10
METHODS = ("n2r_mmi", "rnp")


def main() -> int:
    """Run the demo; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", default="runs/demo", help="each method gets a folder in it")
    started, workdir = time.time(), pathlib.Path(parser.parse_args().workdir)
    runtime.configure()
    runtime.enable_compilation_cache()
    _quiet()
    for method in METHODS:
        train_method(method, workdir / method)
    scores = {method: score(workdir / method) for method in METHODS}
    print_scores(scores)
    print_rationales(workdir / METHODS[0])
    print(f"\n{time.time() - started:.0f} s in all. Try it on a sentence of your own:")
    print(f'  .venv/bin/n2r explain --run {workdir / METHODS[0]} --text "The staff was lovely."')
    return 0


def train_method(method: str, workdir: pathlib.Path) -> None:
    """Train from the demo's config with another method; an earlier demo is replaced."""
    from configs import demo
    from n2r_jax.train import train

    shutil.rmtree(workdir, ignore_errors=True)
    config = demo.get_config()
    config.method = method
    print(f"\n== training {method} ==", flush=True)
    train(config, str(workdir))


def score(workdir: pathlib.Path) -> dict:
    """The report of a run on the test reviews, as plain values."""
    from n2r_jax.evaluate import evaluate

    report, _ = evaluate(workdir)
    return report.to_dict()


def print_scores(scores: dict[str, dict]) -> None:
    """Rationale scores of the methods beside the baselines, and what they amount to."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "", title="Rationales of 500 test reviews, corpus-micro (%)", title_justify="left"
    )
    for heading in ("P", "R", "F1", "95 % interval", "S", "accuracy"):
        table.add_column(heading, justify="right")
    for method, found in scores.items():
        rows = found["overlap"]["micro"]
        own, accuracy = rows["model"], found["task"]["accuracy"]["value"]
        span = f"{100 * own['f1_low']:.1f} to {100 * own['f1_high']:.1f}"
        table.add_row(*_cells(method, own, span), f"{100 * accuracy:.1f}")
        table.add_row(*_cells("  random, same S", rows["random"], ""), "")
    for name in ("select_all", "ceiling"):
        rows = scores[METHODS[0]]["overlap"]["micro"]
        table.add_row(*_cells(name.replace("_", "-"), rows[name], ""), "")
    Console().print(table)
    own, rnp = (scores[m]["overlap"]["micro"] for m in METHODS)
    times = own["model"]["f1"] / own["random"]["f1"]
    above = 100 * (own["model"]["f1"] - rnp["model"]["f1"])
    print(f"{METHODS[0]}: {times:.1f} times random's F1, {above:+.1f} points from rnp's.")


def print_rationales(workdir: pathlib.Path) -> None:
    """Ten test reviews with the selection highlighted and the gold marks underlined."""
    from rich.console import Console

    import n2r_jax
    from configs import demo
    from n2r_jax.data.sources import open_split

    source = open_split(demo.get_config().data, "test")
    records = [source[i] for i in range(SHOWN)]
    console = Console(force_terminal=True)
    print("\nSelected words are highlighted, what the grammar marked is underlined:")
    found = n2r_jax.load(workdir).explain([record.tokens for record in records])
    for record, explanation in zip(records, found, strict=True):
        right = "right" if explanation.label == source.label_names[record.label] else "wrong"
        console.print(f"\n[bold]{explanation.label}[/bold] ({right})", highlight=False)
        console.print(explanation.to_rich(record.rationale))


def _cells(name: str, scores: dict, span: str) -> list[str]:
    numbers = {key: scores[key] for key in ("precision", "recall", "f1", "sparsity")}
    p, r, f1, s = ("" if v is None else f"{100 * v:.1f}" for v in numbers.values())
    return [name, p, r, f1, span, s]


def _quiet() -> None:
    from absl import logging as absl_logging

    logging.getLogger("absl").setLevel(logging.WARNING)
    absl_logging.set_verbosity(absl_logging.WARNING)


if __name__ == "__main__":
    raise SystemExit(main())
