"""UNIREX's experiments on texts of your own copies of its data sets.

    python -m experiments.unirex main --dataset sst --data DIR --encoder DIR --seeds 0 1 2
    python -m experiments.unirex ablations --dataset sst --data DIR --vectors FILE
    python -m experiments.unirex few_gold --dataset sst --data DIR --encoder DIR
    python -m experiments.unirex transfer --dataset sst --data DIR --encoder DIR \\
        --target yelp=FILE --target stormfront=FILE
    python -m experiments.unirex steps --dataset sst --data DIR --encoder DIR

Every run is a process on one core, evaluated on test once with the checkpoint that dev chose; what
is done is not done again, so a command goes on where it stopped, and experiments share runs.
--methods picks rows, --set FIELD=VALUE changes a setting of all runs (which then want a --runs of
their own). Writes experiments/results/unirex_EXPERIMENT_DATASET.md.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence

from experiments.jobs import ROOT, add_inputs
from experiments.unirex import few_gold, main_table, steps, transfer
from experiments.unirex.scores import TASK_METRIC
from experiments.unirex.variants import ABLATIONS, FEW_GOLD, MAIN, TRANSFER, rows

EXPERIMENTS = {
    "main": (MAIN, main_table.render),
    "ablations": (ABLATIONS, main_table.render_ablations),
    "few_gold": (FEW_GOLD, few_gold.render),
    "transfer": (TRANSFER, transfer.render),
    "steps": (rows("aa_ig"), steps.render),
}
"""Name -> the runs it needs, and what makes its table of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing of an experiment, and write its table."""
    arguments = parser().parse_args(argv)
    variants, render = EXPERIMENTS[arguments.experiment]
    unknown = set(arguments.methods) - {variant.name for variant in variants}
    if unknown:
        known = ", ".join(variant.name for variant in variants)
        raise SystemExit(
            f"{', '.join(sorted(unknown))}: no row of {arguments.experiment} ({known})"
        )
    if arguments.methods:
        variants = tuple(v for v in variants if v.name in arguments.methods)
    runs = main_table.run_variants(arguments, variants)
    lines = render(arguments, runs)
    out = pathlib.Path(arguments.out) / f"unirex_{arguments.experiment}_{arguments.dataset}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join([*lines, ""]))
    print(out.read_text())
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("experiment", choices=EXPERIMENTS)
    made.add_argument("--dataset", required=True, choices=TASK_METRIC)
    add_inputs(made)
    made.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    made.add_argument("--methods", nargs="+", default=(), help="rows by name; all where none is")
    made.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    made.add_argument(
        "--target", action="append", default=[], metavar="NAME=FILE", type=transfer.target
    )
    made.add_argument("--steps", type=int, nargs="+", help="steps: of integrated gradients")
    made.add_argument("--runs", default="runs/unirex", help="where runs are kept")
    made.add_argument("--out", default=str(ROOT / "experiments" / "results"))
    return made


if __name__ == "__main__":
    raise SystemExit(main())
