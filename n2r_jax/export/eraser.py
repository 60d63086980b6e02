"""ERASER's predictions (DeYoung et al., 2020), and the documents and gold to score them against.

For an ERASER directory one file is written, `n2r score eraser` and the official scorer read it
beside that directory. Other data become a directory of that layout first. `classification` is the
run's label, predicted from the rationale; `classification_scores` is what the predictor makes of
the whole text, since comprehensiveness and sufficiency are differences to it.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from n2r_jax.data.eraser import CHOICE_SEPARATOR
from n2r_jax.errors import UserError
from n2r_jax.explain import runs
from n2r_jax.export.eraser_notes import Tally
from n2r_jax.export.predicted import Distribution, Predicted
from n2r_jax.export.target import Target, new_file, new_folder, plain_token, refuse_existing

LEAST = 1e-12
"""The lowest probability written: 0 would make the scorer's divergences infinite."""
PREDICTIONS = "predictions.jsonl"
IN_MEMORY = 2**24
"""Characters of rows without selection that wait in memory for one with; others on the disk."""


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the predictions, and unless the data are ERASER's, docs.jsonl and the split.

    Raises UserError where something is in the way.
    """
    tally = Tally()
    write_rows = _write_folder if target.data_dir is None else _write_file
    predictions = write_rows(iter(rows), target, tally)
    data_dir = target.data_dir or target.path
    split = "" if target.split == "test" else f" --split {target.split}"
    score = f"n2r score eraser --data_dir {data_dir} --predictions {predictions}{split}"
    return [*tally.notes(), f"score it: {score} --out scores.json"]


def _write_file(rows: Iterator[Predicted], target: Target, tally: Tally) -> Path:
    is_file = target.path.suffix in (".jsonl", ".json")
    target = target if is_file else dataclasses.replace(target, path=target.path / PREDICTIONS)
    refuse_existing(target.path, target.overwrite)
    with new_file(target.path) as file:
        _write_lines(rows, file, tally)
    return target.path


def _write_folder(rows: Iterator[Predicted], target: Target, tally: Tally) -> Path:
    _refuse_folder(target)
    split = "val" if target.split == "dev" else target.split
    names = ("docs.jsonl", f"{split}.jsonl", PREDICTIONS)
    with new_folder(target.path) as folder:
        files = [(folder / name).open("w", encoding="utf-8", newline="\n") for name in names]
        documents, gold, predictions = files
        try:
            _write_lines(_recorded(rows, documents, gold, tally), predictions, tally)
        finally:
            for file in files:
                file.close()
    return target.path / PREDICTIONS


def _refuse_folder(target: Target) -> None:
    path = target.path
    if path.suffix in (".jsonl", ".json") or (path.exists() and not path.is_dir()):
        raise UserError(
            f"--out {path} is one file, but these data need documents and gold beside it; "
            "name a directory"
        )
    if (path / "docs").exists():
        raise UserError(f"{path} has docs/ already; name another --out")
    if path.is_dir() and any(path.iterdir()) and not target.overwrite:
        raise UserError(f"{path} exists already; name another --out, or add --overwrite")


def _recorded(
    rows: Iterator[Predicted], documents: IO[str], gold: IO[str], tally: Tally
) -> Iterator[Predicted]:
    """The rows; document and gold of each are written as it passes."""
    for row in rows:
        tokens = [plain_token(token) for token in row.given.tokens]
        tally.altered += sum(a != b for a, b in zip(tokens, row.given.tokens, strict=True))
        documents.write(_line({"docid": row.given.id, "document": " ".join(tokens)}))
        gold.write(_line(_annotation(row, tokens)))
        yield row


def _annotation(row: Predicted, tokens: list[str]) -> dict[str, Any]:
    name = row.given.id
    evidences = [
        [
            {
                "text": " ".join(tokens[start:end]),
                "docid": name,
                "start_token": start,
                "end_token": end,
                "start_sentence": -1,
                "end_sentence": -1,
            }
        ]
        for start, end in runs(row.given.rationale or ())
    ]
    query = CHOICE_SEPARATOR.join(" ".join(choice) for choice in row.given.choices)
    fields = {"annotation_id": name, "query": query, "classification": row.given.label}
    return fields | {"evidences": evidences, "docids": [name]}


def _write_lines(rows: Iterator[Predicted], file: IO[str], tally: Tally) -> None:
    """One line a row; the first is one that selects something, if there is any.

    The official scorer leaves out all hard scores where the first row selects nothing.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="\n") as held:
        for row in rows:
            tally.add(row)
            if any(row.mask):
                file.write(_line(_prediction(row)))
                break
            held.write(_line(_prediction(row)))
        held.seek(0)
        for line in held:
            file.write(line)
    for row in rows:
        tally.add(row)
        file.write(_line(_prediction(row)))


def _prediction(row: Predicted) -> dict[str, Any]:
    found = row.faithfulness
    assert found is not None
    fields = {
        "annotation_id": row.given.id,
        "rationales": _rationales(row),
        "classification": row.label,
        "classification_scores": _positive(found.whole),
        **_ablations(found.without, found.only),
    }
    if found.at:
        entries = [{"threshold": share} | _ablations(*pair) for share, pair in found.at.items()]
        fields["thresholded_scores"] = entries
    return fields


def _ablations(without: Distribution, only: Distribution) -> dict[str, Distribution]:
    return {
        "comprehensiveness_classification_scores": _positive(without),
        "sufficiency_classification_scores": _positive(only),
    }


def _rationales(row: Predicted) -> list[dict[str, Any]]:
    """One entry a document; those that are selected from stand first, which the scorer looks at."""
    entries, start = [], 0
    for docid, length in row.given.documents or ((row.given.id, len(row.given.tokens)),):
        end = start + length
        hard = [{"start_token": a, "end_token": b} for a, b in runs(row.mask[start:end])]
        soft = list(row.scores[start:end])
        own = {"docid": docid, "hard_rationale_predictions": hard}
        entries.append(own | {"soft_rationale_predictions": soft})
        start = end
    return sorted(entries, key=lambda entry: not entry["hard_rationale_predictions"])


def _positive(scores: Distribution) -> Distribution:
    """Probabilities of at least LEAST that add up to 1."""
    raised = {label: max(p, LEAST) for label, p in scores.items()}
    total = sum(raised.values())
    return {label: p / total for label, p in raised.items()}


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False) + "\n"
