"""Texts as word ids in flat arrays: looked up once, however many epochs read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8

from n2r_jax.data.batch import Batch, Pieces
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

    def batch(self, indices: Sequence[int] | np.ndarray, rows: int, length: int) -> Pieces:
        """The chosen texts padded to [rows, length]; missing rows have no piece."""
        ids, words = np.zeros((rows, length), np.int32), np.full((rows, length), -1, np.int32)
        lengths = np.zeros(rows, np.int32)
        for row, index in enumerate(indices):
            start, end = self.starts[index], self.starts[index + 1]
            lengths[row] = end - start
            ids[row, : end - start] = self.ids[start:end]
            words[row, : end - start] = self.words[start:end]
        arrays: Any = (ids, words, np.zeros_like(ids), lengths)
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

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.labels)

    @property
    def lengths(self) -> Int64[np.ndarray, " n"]:
        """Tokens of each text."""
        return np.diff(self.starts)

    @property
    def sizes(self) -> Int64[np.ndarray, " n"]:
        """What each text needs to be padded to: its tokens, or its pieces."""
        return np.diff(self.starts if self.pieces is None else self.pieces.starts)

    def batch(
        self, indices: Sequence[int] | np.ndarray, rows: int, length: int, first_row: int = 0
    ) -> Batch:
        """The chosen texts padded to [rows, length]; missing rows get weight 0.

        `first_row` is the place of the first text in the global batch.
        """
        tokens = np.zeros((rows, length), np.int32)
        rationale = np.zeros((rows, length), np.int32)
        lengths, labels = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
        weight, annotated = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
        for row, index in enumerate(indices):
            start, end = self.starts[index], self.starts[index + 1]
            lengths[row] = end - start
            tokens[row, : end - start] = self.ids[start:end]
            rationale[row, : end - start] = self.rationales[start:end]
            labels[row], annotated[row] = self.labels[index], self.annotated[index]
            weight[row] = 1
        row = np.arange(first_row, first_row + rows, dtype=np.int32)
        arrays: Any = (tokens, lengths, labels, weight, row, rationale, annotated)
        if self.pieces is None:
            return Batch(*arrays)
        return Batch(*arrays, self.pieces.batch(indices, rows, length))


def encode_texts(
    records: Source | Sequence[Record],
    vocabulary: Vocabulary,
    *,
    max_length: int,
    too_long: TooLong = "truncate",
    name: str = "the texts",
) -> EncodedTexts:
    """Look up every token. Gold beyond `max_length` disappears with its tokens, as in the papers.

    Raises UserError for a longer text if `too_long` is 'error'.
    """
    ids, rationales, lengths, labels, annotated, truncated = [], [], [], [], [], 0
    for index in range(len(records)):
        record = records[index]
        if len(record.tokens) > max_length:
            truncated += 1
            if too_long == "error":
                size = f"{len(record.tokens)} tokens"
                raise too_long_error(name, record, size, max_length)
        encoded = vocabulary.encode(record.tokens[:max_length])
        gold = record.rationale[:max_length] if record.rationale is not None else None
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
    )


def too_long_error(name: str, record: Record, size: str, max_length: int) -> UserError:
    """What to say of a text that does not fit. size: '300 tokens'."""
    return UserError(
        f"{name}, row {record.id!r}: {size}, the limit is {max_length}; raise "
        "config.data.max_length or set config.data.too_long='truncate'"
    )
