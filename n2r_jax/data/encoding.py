"""Texts as word ids in flat arrays: looked up once, however many epochs read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8

from n2r_jax.data.batch import Batch, Pieces
from n2r_jax.data.encoded_graphs import EncodedGraphs
from n2r_jax.data.padding import Chosen
from n2r_jax.data.records import Record, Source
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError

TooLong = Literal["truncate", "error"]


@dataclasses.dataclass(frozen=True)
class EncodedPieces:
    """N texts as a pretrained encoder reads them, back to back like `EncodedTexts`."""

    ids: Int32[np.ndarray, " pieces"]
    words: Int32[np.ndarray, " pieces"]
    """Word of each piece, -1 for special pieces."""
    starts: Int64[np.ndarray, " n+1"]
    segments: Int32[np.ndarray, " pieces"] | None = None
    """Of each piece, as the encoder was pretrained with; None: all are 0."""

    def batch(self, indices: Sequence[int] | np.ndarray, rows: int, length: int) -> Pieces:
        """The chosen texts padded to [rows, length]; missing rows have no piece."""
        chosen = Chosen(self.starts, indices, rows, length)
        ids = chosen.padded(self.ids)
        segments = np.zeros_like(ids) if self.segments is None else chosen.padded(self.segments)
        arrays: Any = (ids, chosen.padded(self.words, -1), segments, chosen.lengths)
        return Pieces(*arrays)


@dataclasses.dataclass(frozen=True)
class EncodedTexts:
    """N texts back to back: text i is the slice [starts[i], starts[i + 1])."""

    ids: Int32[np.ndarray, " tokens"]
    """Word ids; with `pieces` the place of each word's first piece."""
    rationales: UInt8[np.ndarray, " tokens"]
    """Gold rationale, 0 where a text has none."""
    starts: Int64[np.ndarray, " n+1"]
    labels: Int32[np.ndarray, " n"]
    annotated: Bool[np.ndarray, " n"]
    truncated: int
    """Texts that were cut to the maximum length."""
    pieces: EncodedPieces | None = None
    second: Int32[np.ndarray, " n"] | None = None
    """Where the second text of a pair begins among the kept tokens, 0: there is none; None: there
    are no pairs."""
    choices: int = 1
    """Rows of a question, which stand side by side: one for each answer (`multiple_choice`)."""
    graphs: EncodedGraphs | None = None
    """Edges and features of the texts, where these are graphs and their tokens nodes."""

    def __len__(self) -> int:
        """Number of texts: of the rows, where these are of questions."""
        return len(self.labels)

    @property
    def questions(self) -> int:
        """What is answered: as many as there are texts, or fewer."""
        return len(self.labels) // self.choices

    @property
    def question_labels(self) -> Int32[np.ndarray, " q"]:
        """Of each question, which its rows share."""
        return self.labels[:: self.choices]

    @property
    def question_sizes(self) -> Int64[np.ndarray, " q"]:
        """The largest of each question's rows."""
        return self.sizes.reshape(-1, self.choices).max(1)

    def rows_of(self, questions: Sequence[int] | np.ndarray) -> Int64[np.ndarray, " r"]:
        """The texts that belong to some questions, in their order."""
        first = np.asarray(questions, np.int64)[:, None] * self.choices
        return (first + np.arange(self.choices)).reshape(-1)

    def places(self, index: int, record: Record) -> Int64[np.ndarray, " t"]:
        """Where a text's kept tokens stand among all those of the record that it was made of."""
        kept = np.arange(self.starts[index + 1] - self.starts[index])
        second = 0 if self.second is None else int(self.second[index])
        return np.where(kept < second, kept, kept + record.second - second) if second else kept

    @property
    def lengths(self) -> Int64[np.ndarray, " n"]:
        """Tokens of each text."""
        return np.diff(self.starts)

    @property
    def sizes(self) -> Int64[np.ndarray, " n"]:
        """What each text needs to be padded to: its tokens, or its pieces."""
        return np.diff(self.starts if self.pieces is None else self.pieces.starts)

    def with_own_words(self) -> tuple[Int32[np.ndarray, " w"], EncodedTexts]:
        """The ids that occur, ascending from 0, and these texts with places among them as ids."""
        occurs = np.bincount(self.ids, minlength=1) > 0
        occurs[0] = True  # padding
        places = np.cumsum(occurs, dtype=np.int32) - 1
        own = dataclasses.replace(self, ids=places[self.ids])
        return np.flatnonzero(occurs).astype(np.int32), own

    def batch(
        self, indices: Sequence[int] | np.ndarray, rows: int, length: int, first_row: int = 0
    ) -> Batch:
        """The chosen texts padded to [rows, length]; missing rows get weight 0.

        `first_row` is the place of the first text in the global batch.
        """
        chosen = Chosen(self.starts, indices, rows, length)
        arrays: Any = (
            chosen.padded(self.ids),
            chosen.lengths,
            chosen.column(self.labels, np.int32),
            chosen.weight,
            np.arange(first_row, first_row + rows, dtype=np.int32),
            chosen.padded(self.rationales),
            chosen.column(self.annotated, np.float32),
        )
        batch = Batch(*arrays)
        if self.pieces is not None:
            batch = batch._replace(pieces=self.pieces.batch(indices, rows, length))
        if self.graphs is not None:
            graphs = self.graphs.batch(self.starts, indices, rows, length)
            batch = batch._replace(graphs=graphs)
        return batch


def encode_texts(
    records: Source | Sequence[Record],
    vocabulary: Vocabulary,
    *,
    max_length: int,
    too_long: TooLong = "truncate",
    name: str = "the texts",
) -> EncodedTexts:
    """Look up every token. Gold beyond `max_length` disappears with its tokens, as in the papers.

    The two texts of a pair follow each other, cut as by `kept_of_each`. Raises UserError for a
    longer text if `too_long` is 'error'.
    """
    ids, rationales, lengths, labels, annotated, seconds, truncated = [], [], [], [], [], [], 0
    for index in range(len(records)):
        record = records[index]
        if len(record.tokens) > max_length:
            truncated += 1
            if too_long == "error":
                size = f"{len(record.tokens)} tokens"
                raise too_long_error(name, record, size, max_length)
        second, kept = _kept(record, max_length)
        encoded = vocabulary.encode(kept(record.tokens))
        gold = None if record.rationale is None else kept(record.rationale)
        seconds.append(second)
        ids.append(encoded)
        rationales.append(np.zeros(len(encoded)) if gold is None else np.asarray(gold))
        lengths.append(len(encoded))
        labels.append(record.label)
        annotated.append(gold is not None)
    return EncodedTexts(
        ids=np.concatenate([*ids, np.zeros(0, np.int32)]).astype(np.int32),
        rationales=np.concatenate([*rationales, np.zeros(0)]).astype(np.uint8),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=np.asarray(labels, np.int32),
        annotated=np.asarray(annotated, bool),
        truncated=truncated,
        second=np.asarray(seconds, np.int32) if any(seconds) else None,
    )


def kept_of_each(first: int, second: int, room: int) -> tuple[int, int]:
    """How much is kept of a pair's texts, each cut at its end: the longer one gives way.

    The shorter keeps at least half of the room. Raises UserError where there is none for both.
    """
    if first + second <= room:
        return first, second
    if room < 2:
        raise UserError("config.data.max_length leaves no room for a pair of texts; raise it")
    shorter = min(first, second, room // 2)
    return (shorter, room - shorter) if first < second else (room - shorter, shorter)


def _kept(record: Record, room: int) -> tuple[int, Callable[[tuple], tuple]]:
    """Where the second text begins among the kept tokens, and what is kept of a value a token."""
    if not record.second:
        return 0, lambda values: values[:room]
    begin = record.second
    first, second = kept_of_each(begin, len(record.tokens) - begin, room)
    return first, lambda values: values[:first] + values[begin : begin + second]


def too_long_error(name: str, record: Record, size: str, max_length: int) -> UserError:
    """What to say of a text that does not fit. size: '300 tokens'."""
    return UserError(
        f"{name}, row {record.id!r}: {size}, the limit is {max_length}; raise "
        "config.data.max_length or set config.data.too_long='truncate'"
    )
