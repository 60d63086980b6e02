"""One row of a user's file, checked field by field."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from n2r_jax.data.graph_rows import is_graph, parse_graph
from n2r_jax.data.problems import RowProblem
from n2r_jax.data.records import Graph
from n2r_jax.data.tokenize import tokenize

Offsets = Sequence[tuple[int, int]]
MARKS = ("rationale", "spans", "char_spans")
PARTS = {
    "second": ("second", "second_tokens"),
    "segments": ("segments",),
    "choices": ("choices",),
}
"""How a row may say that it is no single text, and the fields for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The texts of a row, or its graph."""

    tokens: tuple[str, ...]
    """Of both texts, where there are two; of a graph the nodes' types."""
    offsets: Offsets | None = None
    """Places of the first text's tokens, where it was cut from a string."""
    second: int = 0
    """Where the second text's tokens begin; 0: there is none."""
    second_offsets: Offsets | None = None
    choices: tuple[tuple[str, ...], ...] = ()
    graph: Graph | None = None

    @property
    def unit(self) -> str:
        """What a rationale selects, for people."""
        return "token" if self.graph is None else "node"

    @property
    def first(self) -> int:
        """How many tokens are of the first text."""
        return self.second or len(self.tokens)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A checked row whose label is still as written: its index needs the whole file's labels."""

    line: int
    id: str
    tokens: tuple[str, ...]
    label: int | str
    rationale: tuple[int, ...] | None
    second: int = 0
    choices: tuple[tuple[str, ...], ...] = ()
    graph: Graph | None = None


def parse_row(fields: Mapping[str, Any], line: int, default_id: str) -> Row:
    """Check one row; fields it does not know are ignored, null counts as absent.

    Raises RowProblem.
    """
    parts = parse_parts(fields)
    row = Row(
        line=line,
        id=_parse_id(fields.get("id"), default_id),
        tokens=parts.tokens,
        label=parse_label(fields.get("label")),
        rationale=_parse_marks(fields, parts),
        second=parts.second,
        choices=parts.choices,
        graph=parts.graph,
    )
    refuse_broken_text(row.id, row.label, *row.tokens, *itertools.chain(*row.choices))
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


def parse_parts(fields: Mapping[str, Any]) -> Parts:
    """The text, its second one (`second`, `second_tokens` or by `segments`), its `choices`; or the
    graph.

    Raises RowProblem.
    """
    if is_graph(fields):
        nodes, graph = parse_graph(fields)
        return Parts(nodes, graph=graph)
    tokens, offsets = _parse_text(fields, "tokens", "text")
    kinds = [kind for kind in PARTS if any(fields.get(name) is not None for name in PARTS[kind])]
    if len(kinds) > 1:
        raise RowProblem(
            f"both {' and '.join(kinds)}", "a row is a pair or a question, by one field"
        )
    if not kinds:
        return Parts(tokens, offsets)
    if kinds[0] == "choices":
        return Parts(tokens, offsets, choices=_parse_choices(fields["choices"]))
    if kinds[0] == "segments":
        return Parts(tokens, second=_parse_segments(fields["segments"], len(tokens), offsets))
    more, their_offsets = _parse_text(fields, "second_tokens", "second")
    return Parts((*tokens, *more), offsets, len(tokens), their_offsets)


def _parse_text(
    fields: Mapping[str, Any], as_tokens: str, as_text: str
) -> tuple[tuple[str, ...], Offsets | None]:
    """Tokens as given, or those of the text with their offsets."""
    if (tokens := fields.get(as_tokens)) is not None:
        return check_tokens(tokens), None
    if (text := fields.get(as_text)) is None:
        raise RowProblem(
            f"neither '{as_tokens}' nor '{as_text}'",
            f"give every row its {as_tokens} (a list) or {as_text} (a string)",
        )
    if not isinstance(text, str):
        mend = f"write it as one string, or a list as '{as_tokens}'"
        raise RowProblem(f"{as_text} is not a string", mend)
    tokens, offsets = tokenize(text)
    if not tokens:
        raise RowProblem(f"{as_text} is empty", "remove the row or give it a text")
    return tokens, offsets


def _parse_segments(segments: object, length: int, offsets: Offsets | None) -> int:
    """Where a list of 0 and 1, a number for every token, turns to 1."""
    if offsets is not None:
        raise RowProblem("segments without tokens", "give 'tokens', or the second text as 'second'")
    flags = _parse_flags(segments, length, "segments")
    second = length - sum(flags)
    if sum(flags[:second]) or not 0 < second < length:
        mend = "write 0 for the tokens of the first text, then 1 for those of the second"
        raise RowProblem("segments are not some 0 and then some 1", mend)
    return second


def _parse_choices(choices: object) -> tuple[tuple[str, ...], ...]:
    mend = "write two answers or more, each a string or a list of tokens"
    if not isinstance(choices, list | tuple) or len(choices) < 2:
        raise RowProblem("choices are not a list of answers", mend)
    texts = ({"choice": c} if isinstance(c, str) else {"choice_tokens": c} for c in choices)
    return tuple(_parse_text(text, "choice_tokens", "choice")[0] for text in texts)


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


def _parse_marks(fields: Mapping[str, Any], parts: Parts) -> tuple[int, ...] | None:
    """The rationale in whichever of its three forms the row has.

    Flags are of all tokens, or of the first text's alone; characters are the first text's.
    """
    length = len(parts.tokens)
    given = [name for name in MARKS if fields.get(name) is not None]
    if not given:
        return None
    if len(given) > 1:
        raise RowProblem(f"both {' and '.join(given)}", "give the rationale in one form only")
    marks = fields[given[0]]
    unmarked = (0,) * (length - parts.first)
    if given[0] == "rationale":
        if parts.second and isinstance(marks, list | tuple) and len(marks) == parts.first:
            return _parse_flags(marks, parts.first, "rationale") + unmarked
        return _parse_flags(marks, length, "rationale", parts.unit)
    if given[0] == "spans":
        return mask_of_spans(marks, length, f"{parts.unit}s")
    if parts.offsets is None:
        raise RowProblem("char_spans without text", "give 'text' alone, or 'spans' in tokens")
    characters = mask_of_spans(marks, len(fields["text"]), "characters")
    return tuple(int(any(characters[start:end])) for start, end in parts.offsets) + unmarked


def _parse_flags(flags: object, length: int, name: str, unit: str = "token") -> tuple[int, ...]:
    if not isinstance(flags, list | tuple):
        raise RowProblem(f"{name} is not a list", f"write 0 or 1 for every {unit}, or null")
    if len(flags) != length:
        raise RowProblem(
            f"{name} has {len(flags)} flags for {length} {unit}s",
            f"write one flag for every {unit}",
        )
    return _as_flags(flags, name)


def _as_flags(flags: Iterable[object], name: str) -> tuple[int, ...]:
    for place, flag in enumerate(flags := list(flags)):
        # JSON's true and Parquet's boolean columns are meant as 1; 0.5 or "1" are not clear.
        if not isinstance(flag, int) or flag not in (0, 1):
            raise RowProblem(f"{name} flag {place} is {flag!r}", "write only 0 and 1")
    return tuple(1 if flag else 0 for flag in flags)
