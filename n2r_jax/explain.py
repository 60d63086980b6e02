"""Texts in, labels with their reasons out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.graph_rows import NODE, undirected
from n2r_jax.data.records import Edge, Record
from n2r_jax.data.rows import Offsets, Parts, RowProblem, parse_parts
from n2r_jax.data.tokenize import tokenize
from n2r_jax.errors import BadRows, DataError, UserError
from n2r_jax.inference import Outputs, TrainedRun, Which
from n2r_jax.selections import answers, selection

if TYPE_CHECKING:
    from rich import text as rich_text

Text = str | Sequence[str] | Mapping[str, Any]
"""A string, its tokens, or a row's fields: of a graph its nodes and edges."""
CHUNK = 4096
"""Rows of a file that are explained together: of one length enough to fill batches."""


class Units(NamedTuple):
    """The tokens of a text or a pair and, where they were given as strings, their places in it."""

    parts: Parts
    text: str | None = None
    second_text: str | None = None


@dataclasses.dataclass(frozen=True)
class AnswerExplanation:
    """One of the answers to choose from, with the reasons of its own."""

    tokens: tuple[str, ...]
    probability: float
    mask: tuple[int, ...]
    """1 for every selected token of the question."""
    scores: tuple[float, ...]
    answer_mask: tuple[int, ...]
    """1 for every selected token of the answer itself."""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """A predicted label with its reasons.

    Of extractive methods (RNP, N2R) they are all that it was predicted from: no other token had a
    say in it. UNIREX's methods predict from the whole text, and the rationale explains that. Of a
    pair the tokens are those of both texts; of a question, its own, with the reasons for the answer
    that is predicted.
    """

    label: str
    probabilities: dict[str, float]
    tokens: tuple[str, ...]
    """All tokens, also those beyond the run's maximum length, which are never selected."""
    mask: tuple[int, ...]
    """1 for every selected token."""
    scores: tuple[float, ...]
    """Probability of each token to be selected."""
    spans: tuple[tuple[int, int], ...]
    """Runs of selected tokens, [start, end); none goes from one text of a pair into the other. Of
    a graph none: its nodes stand in no order."""
    text: str | None = None
    char_spans: tuple[tuple[int, int], ...] | None = None
    """The runs of a text (of a pair, the first) in characters of `text`, where one was given."""
    second: int | None = None
    """Of a pair: where the second text's tokens begin."""
    second_text: str | None = None
    second_char_spans: tuple[tuple[int, int], ...] | None = None
    choices: tuple[AnswerExplanation, ...] | None = None
    """Of a question: every answer."""
    edges: tuple[Edge, ...] | None = None
    """Of a graph: pairs of nodes that are joined, each once; its tokens are the nodes' types."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for json.dump; what a row of tokens has no text for is left out."""
        # dataclasses.asdict would copy every token, which takes longer than the model.
        found = {name: value for name, value in _fields(self) if value is not None}
        if self.choices is not None:
            found["choices"] = [dict(_fields(answer)) for answer in self.choices]
        return found

    def to_rich(self, gold: Sequence[int] | None = None) -> rich_text.Text:
        """The tokens with the selected ones highlighted (bold, so without colours too).

        gold: marks of a human, shown underlined.
        """
        from rich.text import Text

        if self.edges is not None:
            return Text(self._nodes(gold))
        shown = Text()
        for i, token in enumerate(self.tokens):
            style = "bold black on yellow" if self.mask[i] else ""
            underline = " underline" if gold is not None and i < len(gold) and gold[i] else ""
            if i and i == self.second:
                shown.append("\n")
            shown.append(token, style=(style + underline).strip())
            joined = self.mask[i] and i + 1 < len(self.tokens) and self.mask[i + 1]
            shown.append(" ", style=style if joined else "")
        return shown

    def _nodes(self, gold: Sequence[int] | None) -> str:
        """Selected nodes and the edges between them, by number and type; gold ones with a star."""
        marked = (*(gold or ()), *[0] * len(self.tokens))

        def name(node: int) -> str:
            kind = "" if self.tokens[node] == NODE else self.tokens[node]
            return f"{node}{kind}{'*' if marked[node] else ''}"

        chosen = [node for node, selected in enumerate(self.mask) if selected]
        inside = [edge for edge in self.edges or () if set(edge) <= set(chosen)]
        nodes = " ".join(map(name, chosen)) or "none"
        edges = " ".join("-".join(map(name, edge)) for edge in inside) or "none"
        return f"selected {len(chosen)} of {len(self.tokens)} nodes: {nodes}\nedges: {edges}"


class Explainer:
    """A trained run that explains texts."""

    def __init__(self, directory: str | os.PathLike[str], which: Which = "best"):
        self.trained = TrainedRun(directory, which)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.trained.labels

    def explain(
        self,
        texts: Sequence[Text],
        *,
        second: Sequence[Text] | None = None,
        choices: Sequence[Sequence[Text]] | None = None,
        batch_size: int | None = None,
    ) -> list[Explanation]:
        """Explain texts (strings, tokenised here) or token lists, in their order.

        second: the other text of each pair. choices: the answers to each question. Raises UserError
        for a text without any token, and where the run is of another kind of text.
        """
        if isinstance(texts, str):
            raise UserError("explain takes a list of texts; write [text]")
        others = {"second": second, "choices": choices}
        given = {name: values for name, values in others.items() if values is not None}
        if len(given) > 1:
            raise UserError("texts are pairs or questions, not both; leave out second or choices")
        for name, values in given.items():
            if isinstance(values, str) or len(values) != len(texts):
                raise UserError(f"{name} is of {len(texts)} texts; give it as a list as long")
        rows = [{name: values[i] for name, values in given.items()} for i in range(len(texts))]
        split = partial(_split, of_run=self.trained.choices)
        units = [split(*pair, place) for place, pair in enumerate(zip(texts, rows, strict=True))]
        return self.explain_units(units, batch_size)

    def explain_units(
        self, units: Sequence[Units], batch_size: int | None = None
    ) -> list[Explanation]:
        """Explain texts that are cut into tokens already, in their order."""
        if not units:
            return []
        records = [record_of(one, str(i)) for i, one in enumerate(units)]
        texts = self.trained.encode(records)
        outputs = self.trained.rationalize(texts, batch_size=batch_size)
        found = zip(units, records, strict=True)
        make = partial(explanation_of, outputs=outputs, texts=texts, labels=self.labels)
        return [make(unit, record, place) for place, (unit, record) in enumerate(found)]


def _split(text: Text, more: Mapping[str, Any], place: int, of_run: int = 1) -> Units:
    """A text with its second one or its choices; token lists stay as they are."""
    if isinstance(text, Mapping):
        try:
            return units_of_row(text, of_run)
        except RowProblem as problem:
            raise UserError(f"text {place}: {problem}") from None
    tokens, offsets = _cut(text, f"text {place}")
    choices = tuple(_cut(c, f"a choice of text {place}")[0] for c in more.get("choices", ()))
    own = text if isinstance(text, str) else None
    if "second" not in more:
        return Units(Parts(tokens, offsets, choices=choices), own)
    second = more["second"]
    others, their_offsets = _cut(second, f"the second text of {place}")
    parts = Parts((*tokens, *others), offsets, len(tokens), their_offsets, choices)
    return Units(parts, own, second if isinstance(second, str) else None)


def _cut(text: Any, name: str) -> tuple[tuple[str, ...], Offsets | None]:
    tokens, offsets = tokenize(text) if isinstance(text, str) else (tuple(text), None)
    if not tokens:
        raise UserError(f"{name} has no token; give it a word or leave it out")
    return tokens, offsets


def explanation_of(
    units: Units,
    record: Record,
    place: int,
    *,
    outputs: Outputs,
    texts: EncodedTexts,
    labels: Sequence[str],
) -> Explanation:
    """The explanation of text or question number `place`."""
    parts = units.parts
    probabilities = outputs.probabilities[place * texts.choices].tolist()
    best = int(np.argmax(probabilities))
    choices = _answers(outputs, texts, place, record, probabilities) if record.choices else None
    chosen = choices[best] if choices else selection(outputs, texts, place, record)
    graph, spans, seconds = parts.graph, (), ()
    if graph is None:
        spans = (*runs(chosen.mask[: parts.first]),)
        seconds = (*runs(chosen.mask[parts.first :]),)
    return Explanation(
        label=labels[best],
        probabilities=dict(zip(labels, probabilities, strict=True)),
        tokens=parts.tokens,
        mask=chosen.mask,
        scores=chosen.scores,
        spans=(*spans, *((start + parts.first, end + parts.first) for start, end in seconds)),
        text=units.text,
        char_spans=_characters(spans, parts.offsets),
        second=parts.second or None,
        second_text=units.second_text,
        second_char_spans=_characters(seconds, parts.second_offsets),
        choices=choices,
        edges=None if graph is None else tuple(undirected(graph.edges)),
    )


def _answers(
    outputs: Outputs,
    texts: EncodedTexts,
    place: int,
    record: Record,
    probabilities: Sequence[float],
) -> tuple[AnswerExplanation, ...]:
    found = zip(answers(outputs, texts, place, record), probabilities, strict=True)
    return tuple(
        AnswerExplanation(own.tokens, p, *own.of_question, own.of_answer.mask) for own, p in found
    )


def _characters(
    spans: Sequence[tuple[int, int]], offsets: Offsets | None
) -> tuple[tuple[int, int], ...] | None:
    if offsets is None:
        return None
    return tuple((offsets[start][0], offsets[end - 1][1]) for start, end in spans)


def _fields(made: Any) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(made, field.name)) for field in dataclasses.fields(made))


def runs(mask: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of ones as [start, end)."""
    return (run.span() for run in re.finditer(rb"\x01+", bytes(mask)))


def explain_file(
    explainer: Explainer, source: str | os.PathLike[str], target: str, *, chunk: int = CHUNK
) -> int:
    """Explain the rows of a JSONL, CSV, TSV or Parquet file into a JSONL file, chunk by chunk.

    Rows need `text` or `tokens`, and what makes them pairs or questions; an `id` is carried over.
    Returns the number of rows. On a bad row nothing is written, and BadRows lists all of them.
    """
    partial = pathlib.Path(target + ".partial")
    errors: list[DataError] = []
    written = 0
    try:
        with partial.open("w", encoding="utf-8") as out:
            for rows in _chunks(source, chunk, explainer.trained.choices, errors):
                names, units = zip(*rows, strict=True)
                for name, found in zip(names, explainer.explain_units(units), strict=True):
                    line = {"id": name, **found.to_dict()}
                    out.write(json.dumps(line, ensure_ascii=False) + "\n")
                    written += 1
        if errors:
            raise BadRows(errors)
        partial.replace(target)
    except OSError as error:
        raise DataError(f"cannot be written ({error})", file=target, mend="check --out") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    return written


def units_of_row(fields: Mapping[str, Any], choices: int) -> Units:
    """The text, pair or question of a row, for a run of so many choices; raises RowProblem."""
    parts = parse_parts(fields)
    if max(1, len(parts.choices)) != choices:
        known = f"questions of {choices} choices" if choices > 1 else "texts without choices"
        problem = f"{len(parts.choices) or 'no'} choices"
        raise RowProblem(problem, f"give what the run was trained on: {known}")
    text = None if parts.offsets is None else fields["text"]
    second = None if parts.second_offsets is None else fields["second"]
    return Units(parts, text, second)


def record_of(units: Units, name: str) -> Record:
    """What is encoded of a text, pair or question."""
    parts = units.parts
    own = {"second": parts.second, "choices": parts.choices, "graph": parts.graph}
    return Record(name, parts.tokens, 0, **own)


def _chunks(
    source: str | os.PathLike[str], size: int, choices: int, errors: list[DataError]
) -> Iterator[list[tuple[str, Units]]]:
    """(id, units) of good rows; bad ones go to `errors`."""
    from n2r_jax.data.raw import read_raw

    path, rows = pathlib.Path(source), []
    for line, fields in read_raw(path):
        try:
            if isinstance(fields, RowProblem):
                raise fields
            units = units_of_row(fields, choices)
        except RowProblem as problem:
            errors.append(DataError(problem.problem, file=path, line=line, mend=problem.mend))
            continue
        name = fields.get("id") or f"{path.name.split('.')[0]}-{line}"
        rows.append((name, units))
        if len(rows) == size:
            yield rows
            rows = []
    if rows:
        yield rows
