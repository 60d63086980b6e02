"""A question with answers to choose from as rows of a batch: one for each answer, side by side.

Each row is a pair of its own, with a rationale and a logit of its own; the softmax is over a
question's rows (UNIREX sections 3.3 and 8). Gold marks are of the question, in each of its rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from n2r_jax.data.records import Record, Source
from n2r_jax.errors import UserError

QUESTION, ANSWER = "Q:", "A:"
"""What UNIREX's release writes before either; never marked."""


def rows_of(record: Record) -> tuple[Record, ...]:
    """A question's rows, in the order of its answers; any other record alone."""
    if not record.choices:
        return (record,)
    first = (QUESTION, *record.tokens)

    def row(answer: tuple[str, ...]) -> Record:
        gold = record.rationale and (0, *record.rationale, 0, *[0] * len(answer))
        tokens = (*first, ANSWER, *answer)
        return dataclasses.replace(
            record, tokens=tokens, rationale=gold, second=len(first), choices=()
        )

    return tuple(map(row, record.choices))


def expand(records: Source | Sequence[Record]) -> tuple[Source | Sequence[Record], int]:
    """All rows, and how many a question has: 1 where there are no questions.

    Raises UserError for questions of different numbers of answers, and for other texts among them.
    """
    in_memory = isinstance(records, list | tuple)
    if not len(records) or not (in_memory or records[0].choices):
        return records, 1  # without a look at the others: it takes a while to decode a corpus
    counts = {len(records[i].choices) for i in range(len(records))}
    if len(counts) > 1:
        raise UserError(f"questions have {sorted(counts)} choices; give each as many")
    if counts == {0}:
        return records, 1
    return [row for i in range(len(records)) for row in rows_of(records[i])], counts.pop()
