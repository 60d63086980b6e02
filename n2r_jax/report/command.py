"""`n2r report`: one or several runs on the same texts, as one HTML file."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from n2r_jax.errors import UserError
from n2r_jax.evaluate import Evaluation
from n2r_jax.export.target import new_file, refuse_existing
from n2r_jax.inference import Which
from n2r_jax.report.curves import faithfulness_picture, learning_curves, sparsity_picture
from n2r_jax.report.examples import examples
from n2r_jax.report.page import Content, render
from n2r_jax.report.tables import (
    Scores,
    confusion_tables,
    faithfulness_table,
    other_table,
    overlap_tables,
    settings_table,
    summary_table,
)
from n2r_jax.side_by_side import run_all
from n2r_jax.tables import Table
from n2r_jax.training.metrics import read_metrics

REMOVALS = {
    "compact": "what is removed is taken out, and the rest stands together",
    "mask": "what is removed is hidden in its place, as in training",
}
"""Of `compat.faith_eval_input`, what it does."""


def report_command(
    directories: Sequence[str],
    out: str,
    *,
    data: str | None = None,
    which: Which = "best",
    limit: int,
    faithfulness: bool = False,
    overwrite: bool = False,
) -> int:
    """Run, write the page and say where it is; UserError or DataError where that cannot be.

    limit: texts that the page holds, the first ones; the scores are of all. faithfulness: whether
    comprehensiveness and sufficiency are among them.
    """
    if limit < 1:
        raise UserError(f"--texts {limit} leaves no text to show; give at least 1")
    path = pathlib.Path(out)
    refuse_existing(path, overwrite)
    evaluations = run_all(directories, data, which)
    faithful = {name: found.faithfulness() for name, found in evaluations.items() if faithfulness}
    html = report_page(evaluations, limit, faithful)
    with new_file(path) as file:
        file.write(html)
    size = len(html.encode()) / 1e6
    print(f"{len(directories)} run(s), {size:.1f} MB: open {path} in a browser")
    return 0


def report_page(
    evaluations: Mapping[str, Evaluation], limit: int, faithful: Mapping[str, Scores] | None = None
) -> str:
    """Return the HTML of runs on the same texts, by name; the first `limit` texts are in it.

    faithful: each run's `Evaluation.faithfulness`, if that is to be in it.
    """
    (first, *_), runs = evaluations.values(), list(evaluations)
    scores = {name: found.report().to_dict() for name, found in evaluations.items()}
    learned = {name: read_metrics(found.trained.run.path) for name, found in evaluations.items()}
    pictures = {
        "The runs' folders hold no metrics.jsonl, so there are no learning curves.": (
            learning_curves(learned)
        ),
        "No text has a gold rationale, so there is no curve of F1 by sparsity.": (
            sparsity_picture(evaluations)
        ),
    }
    drawn = [picture for picture in pictures.values() if picture is not None]
    if faithful and (picture := faithfulness_picture(faithful)):
        drawn.append(picture)
    overlap = overlap_tables(scores)
    texts, found = len(first.source), examples(list(evaluations.values()), limit)
    labels = first.trained.labels
    content = Content(
        title=f"{' and '.join(runs)} on {pathlib.PurePath(first.data).name}",
        origins=_origins(evaluations),
        notes=[*_notes(evaluations, scores), *_definitions(faithful or {})],
        scores=[
            summary_table(scores),
            *overlap[:1],
            *([faithfulness_table(faithful)] if faithful else []),
        ],
        confusions=confusion_tables(scores, labels),
        pictures=drawn,
        curve_notes=[note for note, picture in pictures.items() if picture is None],
        shown_note=f"The first {len(found)} of {texts} texts." if len(found) < texts else "",
        more=[*overlap[1:], other_table(scores)],
        settings=_settings(evaluations),
        data={"labels": labels, "runs": runs, "examples": found},
        graphs=first.texts.graphs is not None,
    )
    return render(content)


def _origins(evaluations: Mapping[str, Evaluation]) -> Table:
    """What the runs are and what they were run on."""
    columns = {name: found.origin() for name, found in evaluations.items()}
    shown = ("method", "preset", "seed", "checkpoint", "masks")
    rows = [[name, *(str(own[name]) for own in columns.values())] for name in shown]
    for name in ("texts", "truncated", "fingerprint"):
        rows.append([f"data: {name}", *(str(own["data"][name]) for own in columns.values())])
    norms = [f"{own['norm']:.3f}" for own in columns.values()]
    rows.append(["mean norm of the representation", *norms])
    return Table("Runs", ("", *columns), rows)


def _notes(evaluations: Mapping[str, Evaluation], scores: Mapping[str, dict]) -> list[str]:
    """What a reader has to know of the scores."""
    notes = []
    for name, found in evaluations.items():
        if found.trained.method.predicts_from_all:
            notes.append(
                f"{name} predicts from the whole text: its rationale explains the prediction, "
                "which all else has a say in, too."
            )
        if reason := scores[name]["overlap_missing"]:
            notes.append(f"{name}: no overlap with gold, since {reason}.")
    if any(scores[name]["overlap"] for name in evaluations):
        notes.append(
            "Random: the expected score of a random mask of the same sparsity. Ceiling: the best "
            "score of any mask as large. Select-all: the mask of all."
        )
    return notes


def _definitions(faithful: Mapping[str, Scores]) -> list[str]:
    """What faithfulness is, by the runs that it is that for."""
    runs: dict[str, list[str]] = {}
    for name, found in faithful.items():
        said = [f"{s}: {found['definitions'][s]}" for s in ("comprehensiveness", "sufficiency")]
        said.append(f"K is {', '.join(f'{share:g}' for share in found['k'])} %")
        said.append(REMOVALS[found["removal"]])
        runs.setdefault("; ".join(said) + ".", []).append(name)
    return [f"Faithfulness of {' and '.join(names)}. {text}" for text, names in runs.items()]


def _settings(evaluations: Mapping[str, Evaluation]) -> list[Table]:
    manifests = {name: found.trained.manifest for name, found in evaluations.items()}
    configs = {name: found.trained.config.to_dict() for name, found in evaluations.items()}
    parts = {"Data of training": "data", "Versions": "versions", "Devices of training": "devices"}
    tables = [
        settings_table({name: own.get(part, {}) for name, own in manifests.items()}, caption)
        for caption, part in parts.items()
    ]
    return [*tables, settings_table(configs, "Config")]
