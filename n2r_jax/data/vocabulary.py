"""Words and their ids: the table between a text's tokens and the rows of an embedding."""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float32, Int32

from n2r_jax.errors import DataError, UserError

UNKNOWN_ID = 0
VECTOR_STD = 0.4
"""Standard deviation of one number of a seeded vector: that of GloVe 6B's 100-d vectors."""


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Distinct `words`; word i has id i + 1, and id 0 is padding and every other word.

    With `lowercase` tokens are lower-cased before they are looked up; the words are left alone.
    """

    words: tuple[str, ...]
    lowercase: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))
        if len(self._ids) != len(self.words):
            raise ValueError("the words of a vocabulary must be distinct")

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {word: id for id, word in enumerate(self.words, start=UNKNOWN_ID + 1)}

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hex digest of the words, their order and `lowercase`."""
        content = json.dumps([self.lowercase, *self.words])
        return hashlib.sha256(content.encode()).hexdigest()

    def __len__(self) -> int:
        """Number of ids, the unknown word's included: the rows of the embedding."""
        return len(self.words) + 1

    def encode(self, tokens: Sequence[str]) -> Int32[np.ndarray, " t"]:
        """Return the id of every token, 0 for the unknown."""
        if self.lowercase:
            tokens = [token.lower() for token in tokens]
        return np.array([self._ids.get(token, UNKNOWN_ID) for token in tokens], np.int32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file, in one step: a reader sees the old file or the new one."""
        path = pathlib.Path(path)
        content = dataclasses.asdict(self) | {"fingerprint": self.fingerprint}
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read a file that `save` wrote; raises DataError if it is missing or was altered."""
        mend = "copy it again from the run that wrote it"
        try:
            content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
            vocabulary = cls(tuple(content["words"]), content["lowercase"])
            intact = vocabulary.fingerprint == content["fingerprint"]
        except FileNotFoundError as error:
            raise DataError("no such vocabulary file", file=path, mend=mend) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"not a vocabulary file ({error})", file=path, mend=mend) from error
        if not intact:
            raise DataError("the words do not match their fingerprint", file=path, mend=mend)
        return vocabulary


def build_vocabulary(
    token_lists: Iterable[Sequence[str]],
    *,
    dimension: int,
    seed: int,
    vectors: tuple[Sequence[str], Float32[np.ndarray, "w e"]] | None = None,
    min_count: int = 1,
    lowercase: bool = True,
) -> tuple[Vocabulary, Float32[np.ndarray, "v e"]]:
    """Return a vocabulary and the embedding [v = words + 1, dimension]; row 0 is zeros.

    With `vectors` (words and matrix of read_vectors) the words are exactly theirs, so a text met
    after training may use any of them. Without, they are the words that occur at least `min_count`
    times in `token_lists`, the most frequent first, each with a vector seeded by itself.
    Raises UserError if the vectors have another dimension.
    """
    if vectors is None:
        words = _frequent_words(token_lists, min_count, lowercase)
        matrix = seeded_vectors(words, dimension=dimension, seed=seed)
    else:
        words, matrix = vectors
        if matrix.shape != (len(words), dimension):
            raise UserError(
                f"the word vectors are {matrix.shape}, the model asks for "
                f"{(len(words), dimension)}; set the model's dimension to {matrix.shape[-1]}"
            )
    zeros = np.zeros((1, dimension), np.float32)
    return Vocabulary(tuple(words), lowercase), np.concatenate([zeros, matrix.astype(np.float32)])


def _frequent_words(
    token_lists: Iterable[Sequence[str]], min_count: int, lowercase: bool
) -> list[str]:
    counts = collections.Counter(
        token.lower() if lowercase else token for tokens in token_lists for token in tokens
    )
    kept = [word for word, count in counts.items() if count >= min_count]
    return sorted(kept, key=lambda word: (-counts[word], word))


def seeded_vectors(
    words: Sequence[str], *, dimension: int, seed: int
) -> Float32[np.ndarray, "w e"]:
    """Return N(0, 0.4^2) vectors that depend on (seed, word) alone, equal on every machine.

    The uniform numbers are the bytes of SHAKE-256 of seed and word, which no release of numpy can
    change; Box and Muller (1958) make them normal: sqrt(-2 log u1) cos(2 pi u2), and with sin.
    """
    half = (dimension + 1) // 2
    hashes = [hashlib.shake_256(f"{seed} {word}".encode()).digest(8 * half) for word in words]
    integers = np.frombuffer(b"".join(hashes), "<u4").reshape(len(words), 2, half)
    uniform = (integers.astype(np.float64) + 0.5) / 2**32
    radius, angle = np.sqrt(-2 * np.log(uniform[:, 0])), 2 * np.pi * uniform[:, 1]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return (VECTOR_STD * normal[:, :dimension]).astype(np.float32)
