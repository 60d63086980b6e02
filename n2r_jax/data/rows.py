"""One row of a user's file, checked field by field."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from n2r_jax.data.tokenize import tokenize

MARKS = ("rationale", "spans", "char_spans")


class RowProblem(ValueError):
    """What is wrong with a row, and its mend; the reader adds file and line."""

    def __init__(self, problem: str, mend: str):
        self.problem, self.mend = problem, mend
        super().__init__(f"{problem}; {mend}")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A checked row whose label is still as written: its index needs the whole file's labels."""

    line: int
    id: str
    tokens: tuple[str, ...]
    label: int | str
    rationale: tuple[int, ...] | None


def parse_row(fields: Mapping[str, Any], line: int, default_id: str) -> Row:
    """Check one row; fields it does not know are ignored, null counts as absent.

    Raises RowProblem.
    """
    tokens, offsets = parse_tokens(fields)
    row = Row(
        line=line,
        id=_parse_id(fields.get("id"), default_id),
        tokens=tokens,
        label=parse_label(fields.get("label")),
        rationale=_parse_marks(fields, len(tokens), offsets),
    )
    refuse_broken_text(row.id, row.label, *row.tokens)
    return row


def parse_label(label: object) -> int | str:
    """A label as written: an integer or a name that is not empty."""
    if label is None or label == "":
        raise RowProblem("no label", "give every row a field 'label'")
    if isinstance(label, bool) or not isinstance(label, int | str):
        shown = str(label).lower() if isinstance(label, bool) else repr(label)
        raise RowProblem(f"label is {shown}", "write labels as integers from 0 or as names")
    return label


def refuse_broken_text(*values: object) -> None:
    """Raise RowProblem where a string holds half a surrogate pair, which no file can store."""
    try:
        "".join(value for value in values if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        raise RowProblem(
            "text that is not valid Unicode", "write the file anew as UTF-8 without lone surrogates"
        ) from None


def mask_of_spans(spans: object, length: int, unit: str = "tokens") -> tuple[int, ...]:
    """Half-open [start, end) pairs as 0/1 for each of `length` units; they may overlap."""
    if not isinstance(spans, list | tuple):
        raise RowProblem("spans are not a list", "write them as [[start, end], ...]")
    mask = [0] * length
    for span in spans:
        start, end = _parse_span(span)
        if not 0 <= start < end <= length:
            raise RowProblem(
                f"span [{start}, {end}] is empty or outside the {length} {unit}",
                "count from 0, end exclusive",
            )
        mask[start:end] = [1] * (end - start)
    return tuple(mask)


def _parse_span(span: object) -> tuple[int, int]:
    if isinstance(span, list | tuple) and len(span) == 2:
        start, end = span
        if type(start) is int and type(end) is int:
            return start, end
    raise RowProblem(f"span {span!r} is not a pair of integers", "write spans as [start, end]")


def parse_tokens(
    fields: Mapping[str, Any],
) -> tuple[tuple[str, ...], Sequence[tuple[int, int]] | None]:
    """Tokens as given, or those of `text` with their offsets."""
    if (tokens := fields.get("tokens")) is not None:
        return check_tokens(tokens), None
    if (text := fields.get("text")) is None:
        raise RowProblem(
            "neither 'tokens' nor 'text'", "give every row its tokens (a list) or text (a string)"
        )
    if not isinstance(text, str):
        raise RowProblem("text is not a string", "write it as one string, or a list as 'tokens'")
    tokens, offsets = tokenize(text)
    if not tokens:
        raise RowProblem("text is empty", "remove the row or give it a text")
    return tokens, offsets


def check_tokens(tokens: object) -> tuple[str, ...]:
    """A list of strings none of which is blank, interned; raises RowProblem."""
    if not isinstance(tokens, list | tuple):
        raise RowProblem("tokens are not a list", "write them as a list, or a string as 'text'")
    if not tokens:
        raise RowProblem("no tokens", "remove the row or give it tokens")
    for place, token in enumerate(tokens):
        if not isinstance(token, str):
            raise RowProblem(f"token {place} is {token!r}, not a string", "quote every token")
        if not token or token.isspace():
            raise RowProblem(
                f"token {place} is empty", "remove blank tokens (and their rationale flags)"
            )
    return tuple(map(sys.intern, tokens))


def _parse_id(value: object, default: str) -> str:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise RowProblem(f"id is {value!r}", "write a string or an integer, or leave the id out")
    return str(value)


def _parse_marks(
    fields: Mapping[str, Any], length: int, offsets: Sequence[tuple[int, int]] | None
) -> tuple[int, ...] | None:
    """The rationale in whichever of its three forms the row has."""
    given = [name for name in MARKS if fields.get(name) is not None]
    if not given:
        return None
    if len(given) > 1:
        raise RowProblem(f"both {' and '.join(given)}", "give the rationale in one form only")
    marks = fields[given[0]]
    if given[0] == "rationale":
        return _parse_flags(marks, length)
    if given[0] == "spans":
        return mask_of_spans(marks, length)
    if offsets is None:
        raise RowProblem("char_spans without text", "give 'text' alone, or 'spans' in tokens")
    characters = mask_of_spans(marks, len(fields["text"]), "characters")
    return tuple(int(any(characters[start:end])) for start, end in offsets)


def _parse_flags(flags: object, length: int) -> tuple[int, ...]:
    if not isinstance(flags, list | tuple):
        raise RowProblem("rationale is not a list", "write 0 or 1 for every token, or null")
    if len(flags) != length:
        raise RowProblem(
            f"rationale has {len(flags)} flags for {length} tokens",
            "write one flag for every token",
        )
    return _as_flags(flags)


def _as_flags(flags: Iterable[object]) -> tuple[int, ...]:
    for place, flag in enumerate(flags := list(flags)):
        # JSON's true and Parquet's boolean columns are meant as 1; 0.5 or "1" are not clear.
        if not isinstance(flag, int) or flag not in (0, 1):
            raise RowProblem(f"rationale flag {place} is {flag!r}", "write only 0 and 1")
    return tuple(1 if flag else 0 for flag in flags)
