"""What a request says, as the tokens of texts."""

from __future__ import annotations

from collections.abc import Mapping
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


def units_of(fields: Mapping[str, Any], limits: Limits) -> Units:
    """The text or pair of a row within the limits; raises RowProblem."""
    for name in ("text", "second"):
        text = fields.get(name)
        if isinstance(text, str) and len(text) > limits.characters:
            mend = f"send at most {limits.characters}"
            raise RowProblem(f"a text of {len(text)} characters", mend)
    if fields.get("choices") is not None:
        raise RowProblem("a question with choices", "explain it by n2r explain")
    units = units_of_row(fields)
    tokens = units.parts.tokens
    if len(tokens) > limits.tokens:
        raise RowProblem(f"a text of {len(tokens)} tokens", f"send at most {limits.tokens}")
    refuse_broken_text(*tokens)
    return units


def uploaded_rows(body: bytes, limits: Limits) -> list[UploadedRow]:
    """The rows of a JSONL file; UserError names every bad one."""
    rows: list[UploadedRow] = []
    problems: list[str] = []
    lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if len(rows) + len(problems) == limits.rows:
            raise UserError(f"more than {limits.rows} rows; send the file in parts")
        try:
            rows.append(_row(line, number, limits))
        except RowProblem as problem:
            problems.append(f"line {number}: {problem}")
    if problems:
        hidden = len(problems) - SHOWN
        more = [f"and {hidden} more"] if hidden > 0 else []
        raise UserError("; ".join((*problems[:SHOWN], *more)))
    if not rows:
        raise UserError('no row; send lines like {"text": "..."}')
    return rows


def _row(line: bytes, number: int, limits: Limits) -> UploadedRow:
    fields = parse_json_line(line)
    if isinstance(fields, RowProblem):
        raise fields
    name = str(fields.get("id") or number)
    refuse_broken_text(name)
    return UploadedRow(name, units_of(fields, limits))
