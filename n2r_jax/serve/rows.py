"""What a request says, as the tokens of texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from n2r_jax.data.raw import parse_json_line
from n2r_jax.data.rows import RowProblem, refuse_broken_text
from n2r_jax.errors import UserError
from n2r_jax.explain import Units, units_of_row
from n2r_jax.serve.limits import Limits

SHOWN = 20
"""Bad rows named in an answer."""


class UploadedRow(NamedTuple):
    """A row of a file."""

    id: str
    units: Units


def units_of(fields: Mapping[str, Any], limits: Limits, choices: int = 1) -> Units:
    """The text, pair or question of a row within the limits; raises RowProblem.

    choices: answers to each question of the run; 1: it knows none.
    """
    for text in _texts(fields):
        if len(text) > limits.characters:
            mend = f"send at most {limits.characters}"
            raise RowProblem(f"a text of {len(text)} characters", mend)
    units = units_of_row(fields, choices)
    tokens = (*units.parts.tokens, *itertools.chain(*units.parts.choices))
    if len(tokens) > limits.tokens:
        raise RowProblem(f"a text of {len(tokens)} tokens", f"send at most {limits.tokens}")
    refuse_broken_text(*tokens)
    return units


def _texts(fields: Mapping[str, Any]) -> Iterator[str]:
    """The strings that tokens would be cut from."""
    choices = fields.get("choices")
    given = (fields.get("text"), fields.get("second"))
    for text in (*given, *(choices if isinstance(choices, list) else ())):
        if isinstance(text, str):
            yield text


def uploaded_rows(body: bytes, limits: Limits, choices: int = 1) -> list[UploadedRow]:
    """The rows of a JSONL file, of a run of so many choices; UserError names every bad one."""
    rows: list[UploadedRow] = []
    problems: list[str] = []
    lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if len(rows) + len(problems) == limits.rows:
            raise UserError(f"more than {limits.rows} rows; send the file in parts")
        try:
            rows.append(_row(line, number, limits, choices))
        except RowProblem as problem:
            problems.append(f"line {number}: {problem}")
    if problems:
        hidden = len(problems) - SHOWN
        more = [f"and {hidden} more"] if hidden > 0 else []
        raise UserError("; ".join((*problems[:SHOWN], *more)))
    if not rows:
        raise UserError('no row; send lines like {"text": "..."}')
    return rows


def _row(line: bytes, number: int, limits: Limits, choices: int) -> UploadedRow:
    fields = parse_json_line(line)
    if isinstance(fields, RowProblem):
        raise fields
    name = str(fields.get("id") or number)
    refuse_broken_text(name)
    return UploadedRow(name, units_of(fields, limits, choices))
