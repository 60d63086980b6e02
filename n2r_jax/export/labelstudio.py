"""Label Studio tasks (its basic JSON format): the run's selection as a pre-annotation to correct.

`start` and `end` count characters (Unicode code points) of `data.text`, which is the text as it was
given, or the tokens joined by spaces. A human's marks stand beside them as an annotation. Tags are
those of `CONFIG`, the labelling interface that the project needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from n2r_jax.data.tokenize import tokenize
from n2r_jax.explain import runs
from n2r_jax.export.predicted import Predicted
from n2r_jax.export.rows import InputRow
from n2r_jax.export.target import Target, write_file

Offsets = Sequence[tuple[int, int]]
REGION, CLASS, TEXT, MARK = "rationale", "class", "text", "rationale"


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the file; what the user has to know."""
    questions = []
    write_file(target, render(_noted(rows, questions), target))
    config = labelling_config(target.labels, answers=any(questions))
    return [f"labelling interface of the project: {config}"]


def _noted(rows: Iterable[Predicted], questions: list[bool]) -> Iterator[Predicted]:
    """The rows as they pass; whether the first is a question is noted."""
    for row in rows:
        if not questions:
            questions.append(bool(row.given.choices))
        yield row


def render(rows: Iterable[Predicted], target: Target) -> Iterator[str]:
    """A JSON list with a line a task."""
    opening = "[\n"
    for row in rows:
        yield opening + json.dumps(_task(row, target.version), ensure_ascii=False)
        opening = ",\n"
    yield "[]\n" if opening == "[\n" else "\n]\n"


def labelling_config(labels: Sequence[str], *, answers: bool = False) -> str:
    """The XML of an interface with the text, the mark for reasons and a choice of classes.

    answers: whether the texts are questions, whose answers are shown too.
    """
    shown = '<Text name="answers" value="$answers"/>' if answers else ""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    return (
        f'<View><Labels name="{REGION}" toName="{TEXT}"><Label value="{MARK}"/></Labels>'
        f'<Text name="{TEXT}" value="$text"/>{shown}'
        f'<Choices name="{CLASS}" toName="{TEXT}" choice="single">{choices}</Choices></View>'
    )


def _task(row: Predicted, version: str) -> dict[str, Any]:
    text, offsets = _text(row.given)
    regions = [
        region | {"score": _mean(row.scores[slice(*span)])}
        for span, region in _regions(text, offsets, row.mask, "m")
    ]
    prediction = {
        "model_version": version,
        "score": row.probabilities[row.label],
        "result": [*regions, _choice(row.label)],
    }
    data = {"text": text, "id": row.given.id, "classification_scores": row.probabilities}
    if row.given.choices:
        choices = zip(row.probabilities, row.given.choices, strict=True)
        data["answers"] = "\n".join(f"{label}: {' '.join(answer)}" for label, answer in choices)
    task: dict[str, Any] = {"data": data, "predictions": [prediction]}
    if row.given.rationale is not None:
        gold = [region for _, region in _regions(text, offsets, row.given.rationale, "g")]
        gold += [_choice(row.given.label)] if row.given.label is not None else []
        task["annotations"] = [{"result": gold, "ground_truth": True}]
    return task


def _text(given: InputRow) -> tuple[str, Offsets]:
    """The text to show, and each token's [start, end) in it."""
    if given.text is not None:
        # Browsers read "\r\n" as one character, which would move all that follows.
        return given.text.replace("\r", " "), tokenize(given.text)[1]
    offsets, place = [], 0
    tokens = [token.replace("\r", " ") for token in given.tokens]
    for token in tokens:
        offsets.append((place, place + len(token)))
        place += len(token) + 1
    return " ".join(tokens), offsets


def _regions(
    text: str, offsets: Offsets, mask: Sequence[int], prefix: str
) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Each run of marked tokens and its region; nothing can be marked where a token is empty."""
    for number, (first, behind) in enumerate(runs(mask)):
        start, end = offsets[first][0], offsets[behind - 1][1]
        if start < end:
            value = {"start": start, "end": end, "text": text[start:end], "labels": [MARK]}
            tags = {"from_name": REGION, "to_name": TEXT, "type": "labels"}
            yield (first, behind), {"id": f"{prefix}{number}"} | tags | {"value": value}


def _choice(label: str) -> dict[str, Any]:
    value = {"choices": [label]}
    return {"id": "c", "from_name": CLASS, "to_name": TEXT, "type": "choices", "value": value}


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)
