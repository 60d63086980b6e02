"""Texts in, labels with their reasons out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from n2r_jax.data.records import Record
from n2r_jax.data.rows import RowProblem, parse_tokens
from n2r_jax.data.tokenize import tokenize
from n2r_jax.errors import BadRows, DataError, UserError
from n2r_jax.inference import Outputs, TrainedRun, Which

if TYPE_CHECKING:
    from rich.text import Text

Offsets = Sequence[tuple[int, int]]
CHUNK = 4096
"""Rows of a file that are explained together: of one length enough to fill batches."""


class Units(NamedTuple):
    """The tokens of a text and, where it was given as a string, their places in it."""

    tokens: tuple[str, ...]
    text: str | None = None
    offsets: Offsets | None = None


@dataclasses.dataclass(frozen=True)
class Explanation:
    """A predicted label with its reasons.

    Of extractive methods (RNP, N2R) they are all that it was predicted from: no other token had a
    say in it. UNIREX's methods predict from the whole text, and the rationale explains that.
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
    """Runs of selected tokens, [start, end)."""
    text: str | None = None
    char_spans: tuple[tuple[int, int], ...] | None = None
    """The same runs in characters of `text`, where a text was given."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for json.dump; what a row of tokens has no text for is left out."""
        # dataclasses.asdict would copy every token, which takes longer than the model.
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in fields if value is not None}

    def to_rich(self, gold: Sequence[int] | None = None) -> Text:
        """The tokens with the selected ones highlighted (bold, so without colours too).

        gold: marks of a human, shown underlined.
        """
        from rich.text import Text

        shown = Text()
        for i, token in enumerate(self.tokens):
            style = "bold black on yellow" if self.mask[i] else ""
            underline = " underline" if gold is not None and i < len(gold) and gold[i] else ""
            shown.append(token, style=(style + underline).strip())
            joined = self.mask[i] and i + 1 < len(self.tokens) and self.mask[i + 1]
            shown.append(" ", style=style if joined else "")
        return shown


class Explainer:
    """A trained run that explains texts."""

    def __init__(self, directory: str | os.PathLike[str], which: Which = "best"):
        self.trained = TrainedRun(directory, which)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.trained.labels

    def explain(
        self, texts: Sequence[str | Sequence[str]], *, batch_size: int | None = None
    ) -> list[Explanation]:
        """Explain texts (strings, tokenised here) or token lists, in their order.

        Raises UserError for a text without any token.
        """
        if isinstance(texts, str):
            raise UserError("explain takes a list of texts; write [text]")
        return self.explain_units([_split(t, i) for i, t in enumerate(texts)], batch_size)

    def explain_units(
        self, units: Sequence[Units], batch_size: int | None = None
    ) -> list[Explanation]:
        """Explain texts that are cut into tokens already, in their order."""
        if not units:
            return []
        records = [Record(str(i), text.tokens, 0) for i, text in enumerate(units)]
        outputs = self.trained.rationalize(self.trained.encode(records), batch_size=batch_size)
        return _explanations(units, outputs, self.labels)


def _split(text: str | Sequence[str], place: int) -> Units:
    tokens, offsets = tokenize(text) if isinstance(text, str) else (tuple(text), None)
    if not tokens:
        raise UserError(f"text {place} has no token; give it a word or leave it out")
    return Units(tokens, text if isinstance(text, str) else None, offsets)


def _explanations(
    units: Sequence[Units], outputs: Outputs, labels: Sequence[str]
) -> list[Explanation]:
    """Arrays become tuples a text at a time: one number at a time takes longer than the model."""
    scores = outputs.scores.astype(np.float64).round(6)
    of_classes, best = outputs.probabilities.tolist(), outputs.probabilities.argmax(1)
    made = []
    for i, (tokens, text, offsets) in enumerate(units):
        unseen = (0,) * (len(tokens) - outputs.mask.shape[1])
        mask = (*outputs.mask[i, : len(tokens)].tolist(), *unseen)
        spans = tuple(runs(mask))
        chars = None
        if offsets is not None:
            chars = tuple((offsets[start][0], offsets[end - 1][1]) for start, end in spans)
        explanation = Explanation(
            label=labels[best[i]],
            probabilities=dict(zip(labels, of_classes[i], strict=True)),
            tokens=tokens,
            mask=mask,
            scores=(*scores[i, : len(tokens)].tolist(), *map(float, unseen)),
            spans=spans,
            text=text,
            char_spans=chars,
        )
        made.append(explanation)
    return made


def runs(mask: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of ones as [start, end)."""
    return (run.span() for run in re.finditer(rb"\x01+", bytes(mask)))


def explain_file(
    explainer: Explainer, source: str | os.PathLike[str], target: str, *, chunk: int = CHUNK
) -> int:
    """Explain the rows of a JSONL, CSV, TSV or Parquet file into a JSONL file, chunk by chunk.

    Rows need `text` or `tokens`; an `id` is carried over. Returns the number of rows. On a bad row
    nothing is written, and BadRows lists all of them.
    """
    partial = pathlib.Path(target + ".partial")
    errors: list[DataError] = []
    written = 0
    try:
        with partial.open("w", encoding="utf-8") as out:
            for rows in _chunks(source, chunk, errors):
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


def _chunks(
    source: str | os.PathLike[str], size: int, errors: list[DataError]
) -> Iterator[list[tuple[str, Units]]]:
    """(id, units) of good rows; bad ones go to `errors`."""
    from n2r_jax.data.raw import read_raw

    path, rows = pathlib.Path(source), []
    for line, fields in read_raw(path):
        try:
            if isinstance(fields, RowProblem):
                raise fields
            tokens, offsets = parse_tokens(fields)
        except RowProblem as problem:
            errors.append(DataError(problem.problem, file=path, line=line, mend=problem.mend))
            continue
        name = fields.get("id") or f"{path.name.split('.')[0]}-{line}"
        text = None if offsets is None else fields["text"]
        rows.append((name, Units(tokens, text, offsets)))
        if len(rows) == size:
            yield rows
            rows = []
    if rows:
        yield rows
