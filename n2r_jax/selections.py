"""What a run selects, in terms of the tokens that a record was given with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.multiple_choice import rows_of
from n2r_jax.data.records import Record
from n2r_jax.inference import Outputs


class Selection(NamedTuple):
    """A value for every token of a record; 0 for those that did not fit and were not seen."""

    mask: tuple[int, ...]
    scores: tuple[float, ...]
    """Probability of each token to be selected."""


class Answer(NamedTuple):
    """One answer to a question, with the reasons of its row."""

    tokens: tuple[str, ...]
    of_question: Selection
    of_answer: Selection


def selection(outputs: Outputs, texts: EncodedTexts, index: int, record: Record) -> Selection:
    """What is selected of text `index`, which the record is (of a question: a row of it)."""
    places = texts.places(index, record)
    mask, scores = np.zeros(len(record.tokens), int), np.zeros(len(record.tokens))
    mask[places] = outputs.mask[index, : len(places)]
    scores[places] = outputs.scores[index, : len(places)].astype(np.float64).round(6)
    return Selection(tuple(mask.tolist()), tuple(scores.tolist()))


def answers(
    outputs: Outputs, texts: EncodedTexts, question: int, record: Record
) -> tuple[Answer, ...]:
    """What is selected for each answer to a question."""
    found = []
    first, end = 1, 1 + len(record.tokens)  # Q: stands before the question, A: behind it
    for choice, row in enumerate(rows_of(record)):
        own = selection(outputs, texts, question * texts.choices + choice, row)
        of_question = Selection(own.mask[first:end], own.scores[first:end])
        of_answer = Selection(own.mask[end + 1 :], own.scores[end + 1 :])
        found.append(Answer(record.choices[choice], of_question, of_answer))
    return tuple(found)
