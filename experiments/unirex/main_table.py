"""Tables 1 and 6 to 10: every method's faithfulness, plausibility and task performance."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.jobs import Job, data_fields, launch, run_jobs, told_rows
from experiments.unirex.scores import Scores, published, read_scores, table
from experiments.unirex.variants import Variant


class Run(NamedTuple):
    """A trained and evaluated run of a variant."""

    variant: str
    seed: int
    workdir: pathlib.Path


def run_variants(arguments: argparse.Namespace, variants: Sequence[Variant]) -> list[Run]:
    """Train and evaluate every variant with every seed, unless it is done."""
    folder = pathlib.Path(arguments.runs) / arguments.dataset
    common = {"data.name": "files", **data_fields(arguments, folder)}
    common |= dict(pair.split("=", 1) for pair in arguments.set)
    runs = [
        (variant, Run(variant.name, seed, folder / f"{variant.name}_{seed}"))
        for seed in arguments.seeds
        for variant in variants
    ]
    run_jobs([_job(arguments.dataset, variant, run, common) for variant, run in runs])
    return [run for _, run in runs]


def _job(dataset: str, variant: Variant, run: Run, common: Mapping[str, str]) -> Job:
    fields = {**common, **variant.fields, "seed": str(run.seed)}
    model = ",gru" if "data.vectors" in common else ""
    train = launch(f"configs/unirex_{dataset}.py:{variant.method}{model}", run.workdir, fields)
    evaluate = [sys.executable, "-m", "n2r_jax.cli", "evaluate", "--run", str(run.workdir)]
    name = f"{variant.name}, seed {run.seed}"
    return Job(name, run.workdir, (train, [*evaluate, "--faithfulness"]))


def scores_of(arguments: argparse.Namespace, runs: Sequence[Run]) -> dict[str, list[Scores]]:
    """Scores of each variant's seeds."""
    found: dict[str, list[Scores]] = {}
    for run in runs:
        own = read_scores(run.workdir / "results.json", arguments.dataset)
        found.setdefault(run.variant, []).append(own)
    return found


def render(arguments: argparse.Namespace, runs: Sequence[Run]) -> list[str]:
    """The table beside the paper's, and which of the paper's claims hold in it."""
    found, paper = scores_of(arguments, runs), published(arguments.dataset)
    lines = head(arguments, "UNIREX's main table")
    if paper:
        lines += ["The paper's own figures are of BigBird on all rows.", ""]
    return [*lines, *table(found, paper), "", *claims(found)]


def render_ablations(arguments: argparse.Namespace, runs: Sequence[Run]) -> list[str]:
    """The table alone: gains are among its own rows, of which the main tables have few."""
    return [*head(arguments, "UNIREX's ablations"), *table(scores_of(arguments, runs), {})]


def head(arguments: argparse.Namespace, title: str) -> list[str]:
    """What was run, for the top of a result file."""
    seeds = ", ".join(map(str, arguments.seeds))
    read = "a pretrained encoder" if arguments.encoder else "GRUs on word vectors"
    if arguments.data.endswith(".npz"):
        read = "GCNs, of which units are nodes"
    changed = f"; changed: {', '.join(arguments.set)}" if arguments.set else ""
    return [
        f"# {arguments.dataset}: {title}, test, mean (sd) of seeds {seeds}",
        "",
        f"Encoder: {read}. Rows: {told_rows(arguments)}{changed}.",
        "comp, suff and CSD: AOPC over |K| + 1. AUPRC, TF1 (macro, of units more probable than",
        "0.5) and task in percent, AUPRC and TF1 as means over inputs, of words alone. Gains (NRG)",
        "are among the rows shown.",
        "",
    ]


def claims(found: Mapping[str, Sequence[Scores]]) -> list[str]:
    """The orderings that the paper claims, as far as their rows are there."""

    def mean(name: str, column: str) -> float:
        values = [run[column] for run in found[name]]
        return sum(values) / len(values)

    pairs = [
        ("AA-F's CSD is above AA (IG)'s", "csd", "aa_f", "aa_ig"),
        *(
            (f"{name}'s AUPRC is above AA (IG)'s", "auprc", name, "aa_ig")
            for name in ("dlm_p", "dlm_fp", "slm_fp")
        ),
    ]
    lines = [
        f"- {text}: {'holds' if mean(high, column) > mean(low, column) else 'does NOT hold'} "
        f"({mean(high, column):.3f}, {mean(low, column):.3f})"
        for text, column, high, low in pairs
        if {high, low} <= found.keys() and column in found[high][0]
    ]
    best = best_balance(found)
    if best:
        lines.append(
            f"- SLM-FP has the best CNRG: {'holds' if best == 'slm_fp' else 'does NOT hold'}"
        )
        lines[-1] += f" (best: {best})"
    return ["The paper's claims:", "", *lines] if lines else []


def best_balance(found: Mapping[str, Sequence[Scores]]) -> str | None:
    """The row with the highest CNRG; None where plausibility was not scored or SLM-FP not run."""
    from experiments.unirex.scores import composite_gains, mean_scores

    means = {name: mean_scores(own) for name, own in found.items()}
    if "slm_fp" not in means or any("auprc" not in own for own in means.values()):
        return None
    gains = composite_gains(means)
    return max(gains, key=lambda name: gains[name].composite)
