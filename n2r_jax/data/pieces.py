"""Words to the pieces that a pretrained encoder reads, with the word that each piece is part of.

A rationale is defined on words, whatever an encoder makes of them: a piece has its word's mask.
Special pieces ([CLS], [SEP]) belong to no word; they are never selectable and always visible. They
also part the two texts of a pair.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int32
from tokenizers import Tokenizer

from n2r_jax.data.encoding import (
    EncodedPieces,
    EncodedTexts,
    TooLong,
    kept_of_each,
    too_long_error,
)
from n2r_jax.data.records import Record, Source
from n2r_jax.errors import DataError

SPECIAL = -1
"""The word of a piece that belongs to none."""
CHUNK = 1024
"""Texts that are cut at once, on all cores."""
MEND = "copy the model's directory again; it needs a tokenizer.json"


class Pieces(NamedTuple):
    """One text as an encoder reads it."""

    ids: Int32[np.ndarray, " p"]
    words: Int32[np.ndarray, " p"]
    """Word of each piece, among those kept; SPECIAL for those of none."""
    segments: Int32[np.ndarray, " p"]
    """0, and in a pair what the tokeniser gives each piece."""
    second: int = 0
    """Where the second text of a pair begins among the kept words; 0: there is none."""


class PairFrame(NamedTuple):
    """The special pieces of a pair, and the segments of all five parts."""

    before: Int32[np.ndarray, " a"]
    between: Int32[np.ndarray, " b"]
    after: Int32[np.ndarray, " z"]
    segments: tuple[int, ...]
    """Of before, the first text, between, the second text, after."""


@dataclasses.dataclass(frozen=True)
class PieceTokenizer:
    """A Hugging Face tokeniser, by the content of its tokenizer.json."""

    content: str

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PieceTokenizer:
        """Read a tokenizer.json; raises DataError if it is missing or is none."""
        try:
            content = pathlib.Path(path).read_text(encoding="utf-8")
            made = cls(content)
            made.special  # noqa: B018 (a tokeniser that cannot be used is found out here)
        except FileNotFoundError as error:
            raise DataError("no such tokeniser", file=path, mend=MEND) from error
        except Exception as error:  # tokenizers raises bare exceptions
            raise DataError(f"not a tokeniser ({error})", file=path, mend=MEND) from error
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a tokenizer.json, in one step."""
        path = pathlib.Path(path)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(self.content, encoding="utf-8")
        partial.replace(path)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hex digest of the file's content."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @functools.cached_property
    def special(self) -> tuple[Int32[np.ndarray, " a"], Int32[np.ndarray, " z"]]:
        """Ids of the special pieces before and after a text."""
        found = self._tokenizer.encode(["a"], is_pretokenized=True)
        own = [place for place, word in enumerate(found.word_ids) if word is not None]
        ids = np.asarray(found.ids, np.int32)
        return ids[: own[0]], ids[own[-1] + 1 :]

    @functools.cached_property
    def pair_frame(self) -> PairFrame:
        """What stands around the texts of a pair."""
        found = self._tokenizer.encode(["a"], ["b"], is_pretokenized=True)
        ids, kinds = np.asarray(found.ids, np.int32), np.asarray(found.type_ids, np.int32)
        places = [np.flatnonzero([s == text for s in found.sequence_ids]) for text in (0, 1)]
        (first, end), (second, last) = ((int(p[0]), int(p[-1]) + 1) for p in places)
        special = (slice(0, first), slice(end, second), slice(last, None))
        before, between, after = special
        parts = (before, [first], between, [second], after)
        segments = tuple(int(kinds[part].max(initial=0)) for part in parts)
        return PairFrame(ids[before], ids[between], ids[after], segments)

    @functools.cached_property
    def special_pieces(self) -> int:
        """How many special pieces a text or a pair has at most; 0 where it begins with none."""
        before, after = self.special
        frame = self.pair_frame
        of_pair = len(frame.before) + len(frame.between) + len(frame.after)
        return max(len(before) + len(after), of_pair) if len(before) and len(frame.before) else 0

    def cut(
        self,
        texts: Sequence[Sequence[str]],
        max_pieces: int,
        seconds: Sequence[int] | None = None,
    ) -> Iterator[Pieces]:
        """Every text's pieces with the special ones around them, at most `max_pieces`.

        Whole words are kept: the first that does not fit goes, with all after it. Of a first word
        that is too long by itself its first pieces stay. A word that the tokeniser makes nothing of
        (a lone joiner) is its unknown piece. seconds: where the second text of each pair begins,
        or 0; `kept_of_each` says how many pieces of either stay.
        """
        for first in range(0, len(texts), CHUNK):
            chunk = [list(text) for text in texts[first : first + CHUNK]]
            for place, found in enumerate(self._encode(chunk), start=first):
                ids, words = self._every_word(found, len(texts[place]))
                second = 0 if seconds is None else seconds[place]
                if second:
                    yield self._framed_pair(ids, words, second, max_pieces)
                else:
                    yield self._framed(ids, words, max_pieces)

    def _framed(self, ids: np.ndarray, words: np.ndarray, max_pieces: int) -> Pieces:
        before, after = self.special
        room = max_pieces - len(before) - len(after)
        ids, words = _without_the_rest(ids, words, room)
        around = [np.full(len(part), SPECIAL, np.int32) for part in (before, after)]
        all_ids = np.concatenate([before, ids, after])
        all_words = np.concatenate([around[0], words, around[1]])
        return Pieces(all_ids, all_words, np.zeros_like(all_ids))

    def _framed_pair(
        self, ids: np.ndarray, words: np.ndarray, second: int, max_pieces: int
    ) -> Pieces:
        before, between, after, kinds = self.pair_frame
        room = max_pieces - len(before) - len(between) - len(after)
        split = int(np.searchsorted(words, second))
        rooms = kept_of_each(split, len(ids) - split, room)
        one, words_of_one = _without_the_rest(ids[:split], words[:split], rooms[0])
        two, words_of_two = _without_the_rest(ids[split:], words[split:], rooms[1])
        begins = int(words_of_one[-1]) + 1
        parts = (before, one, between, two, after)
        edges = [np.full(len(special), SPECIAL, np.int32) for special in (before, between, after)]
        shifted = words_of_two - second + begins
        all_words = np.concatenate([edges[0], words_of_one, edges[1], shifted, edges[2]])
        segments = np.repeat(np.asarray(kinds, np.int32), [len(part) for part in parts])
        return Pieces(np.concatenate(parts), all_words, segments, begins)

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        settings = json.loads(self.content)
        # Words come one by one; byte-level pieces differ at the start of a text from those after a
        # space, so without this every word would look like the first.
        _set_prefix_space(settings.get("pre_tokenizer"))
        tokenizer = Tokenizer.from_str(json.dumps(settings))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _encode(self, texts: list[list[str]]) -> list[Any]:
        return self._tokenizer.encode_batch(texts, is_pretokenized=True, add_special_tokens=False)

    def _every_word(self, found: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids and words, with the unknown piece in place of every word that has none."""
        ids, words = np.asarray(found.ids, np.int32), np.asarray(found.word_ids, np.int32)
        missing = np.setdiff1d(np.arange(count), words)
        if not len(missing):
            return ids, words
        places = np.searchsorted(words, missing)
        return np.insert(ids, places, self._unknown), np.insert(words, places, missing)

    @functools.cached_property
    def _unknown(self) -> int:
        """The unknown piece; byte-level tokenisers have none and need none but for empty words."""
        name = getattr(self._tokenizer.model, "unk_token", None) or "<unk>"
        found = self._tokenizer.token_to_id(name)
        return 0 if found is None else found


def encode_pieces(
    records: Source | Sequence[Record],
    tokenizer: PieceTokenizer,
    *,
    max_length: int,
    too_long: TooLong = "truncate",
    name: str = "the texts",
    segments: bool = True,
) -> EncodedTexts:
    """Cut every text into pieces, at most `max_length` with the special ones.

    Gold on words that do not fit disappears with them. segments: number a pair's texts as the
    tokeniser does; otherwise all pieces are of segment 0. Raises UserError for a text that does not
    fit if `too_long` is 'error'.
    """
    texts, seconds = [], []
    for index in range(len(records)):
        texts.append(records[index].tokens)
        seconds.append(records[index].second)
    ids, words, kinds, firsts, rationales, rows = [], [], [], [], [], []
    for index, found in enumerate(tokenizer.cut(texts, max_length, seconds)):
        record = records[index]
        first = np.flatnonzero(np.diff(found.words, prepend=SPECIAL) > 0)
        if len(first) < len(record.tokens) and too_long == "error":
            size = f"{len(record.tokens)} words in too many pieces"
            raise too_long_error(name, record, size, max_length)
        gold = _kept_gold(record, found.second, len(first))
        ids.append(found.ids)
        words.append(found.words)
        kinds.append(found.segments)
        firsts.append(first)
        rationales.append(np.zeros(len(first)) if gold is None else gold)
        rows.append((record.label, gold is not None, len(first) < len(record.tokens), found.second))
    labels, annotated, truncated, begins = zip(*rows, strict=True) if rows else ((), (), (), ())
    joined = _joined(kinds, np.int32)
    of_pieces = (_joined(ids, np.int32), _joined(words, np.int32), _starts(ids))
    return EncodedTexts(
        ids=_joined(firsts, np.int32),
        rationales=_joined(rationales, np.uint8),
        starts=_starts(firsts),
        labels=np.asarray(labels, np.int32),
        annotated=np.asarray(annotated, bool),
        truncated=sum(truncated),
        pieces=EncodedPieces(*of_pieces, joined if segments and joined.any() else None),
        second=np.asarray(begins, np.int32) if any(begins) else None,
    )


def _kept_gold(record: Record, second: int, kept: int) -> tuple[int, ...] | None:
    """The marks of the words that stayed: the first `second` are of a pair's first text."""
    gold = record.rationale
    if gold is None or not second:
        return gold and gold[:kept]
    return gold[:second] + gold[record.second : record.second + kept - second]


def _without_the_rest(
    ids: np.ndarray, words: np.ndarray, room: int
) -> tuple[np.ndarray, np.ndarray]:
    if len(ids) <= room:
        return ids, words
    end = int(np.searchsorted(words, words[room])) or room
    return ids[:end], words[:end]


def _joined(parts: Sequence[Any], kind: Any) -> np.ndarray:
    return np.concatenate([*parts, np.zeros(0)]).astype(kind)


def _starts(parts: Sequence[Any]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)


def _set_prefix_space(pre_tokenizer: Any) -> None:
    """Have byte-level pre-tokenisers, also those inside a sequence, put a space before a word."""
    if not isinstance(pre_tokenizer, dict):
        return
    if pre_tokenizer.get("type") == "ByteLevel":
        pre_tokenizer["add_prefix_space"] = True
    for inner in pre_tokenizer.get("pretokenizers", ()):
        _set_prefix_space(inner)
