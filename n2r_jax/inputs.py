"""How texts become arrays for a model: words with vectors, or pieces for a pretrained encoder.

For graphs see `graph_inputs`. What a run needs for it stands in its directory, beside the
parameters.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from n2r_jax.data.encoding import EncodedTexts, TooLong, encode_texts
from n2r_jax.data.multiple_choice import expand
from n2r_jax.data.pieces import PieceTokenizer, encode_pieces
from n2r_jax.data.records import Record, Source
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import DataError, UserError

COPY_AGAIN = "copy it again from the run that wrote it"
ONE_SEGMENT = ("big_bird", "roberta")
"""Families that read pairs as one segment: RoBERTa knows but one, UNIREX gives BigBird one."""
Checksums = dict[str, int]
"""File name -> CRC-32 of its bytes."""


class Inputs(Protocol):
    """Encodes texts for one kind of model."""

    @property
    def reads(self) -> str:
        """What a record is to be: 'texts' or 'graphs'."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hex digest of all that encoding depends on, besides the limits."""
        ...

    def encode(
        self, records: Source | Sequence[Record], *, max_length: int, too_long: TooLong, name: str
    ) -> EncodedTexts:
        """Texts as arrays, questions as a row for each answer; see `encode_texts`."""
        ...

    def example(self, choices: int) -> Record:
        """The smallest record that can be encoded, for the shapes of a model's parameters."""
        ...

    def save(self, directory: pathlib.Path) -> Checksums:
        """Write the files that `read_inputs` reads; their checksums."""
        ...

    def describe(self, texts: EncodedTexts) -> str:
        """What to tell of the training texts, as the beginning of a sentence."""
        ...


@dataclasses.dataclass(frozen=True)
class WordInputs:
    """Words of a vocabulary and the embedding's rows."""

    vocabulary: Vocabulary
    table: Float[np.ndarray, "v e"]
    reads = "texts"

    @property
    def fingerprint(self) -> str:
        """That of the words."""
        return self.vocabulary.fingerprint

    def encode(
        self, records: Source | Sequence[Record], *, max_length: int, too_long: TooLong, name: str
    ) -> EncodedTexts:
        """Look every word up."""
        rows, choices = expand_texts(records, name)
        limits: Any = {"max_length": max_length, "too_long": too_long, "name": name}
        found = encode_texts(rows, self.vocabulary, **limits)
        return dataclasses.replace(found, choices=choices)

    def example(self, choices: int) -> Record:
        """One word, with as many answers to choose from."""
        return example_text(choices)

    def save(self, directory: pathlib.Path) -> Checksums:
        """Write vocabulary.json and embedding.npy."""
        self.vocabulary.save(directory / "vocabulary.json")
        path = directory / "embedding.npy"
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.save(file, self.table, allow_pickle=False)
        partial.replace(path)
        return {path.name: checksum(path)}

    @classmethod
    def load(cls, directory: pathlib.Path, checksums: Checksums) -> WordInputs:
        """Read what `save` wrote; raises DataError if either was altered."""
        vocabulary = Vocabulary.load(directory / "vocabulary.json")
        path = unaltered(directory / "embedding.npy", checksums)
        try:
            table = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read ({error})", file=path, mend=COPY_AGAIN) from error
        if len(table) != len(vocabulary):
            raise DataError("has not one row a word", file=path, mend=COPY_AGAIN)
        return cls(vocabulary, table)

    def describe(self, texts: EncodedTexts) -> str:
        """How many of the tokens are known."""
        share = 100 * float((texts.ids > 0).mean())
        return f"{len(self.vocabulary) - 1} words cover {share:.1f} % of the training tokens"


@dataclasses.dataclass(frozen=True)
class PieceInputs:
    """The tokeniser of a pretrained encoder, and the encoder's config.json."""

    tokenizer: PieceTokenizer
    encoder: Mapping[str, Any]
    reads = "texts"

    @property
    def fingerprint(self) -> str:
        """That of the tokeniser, and of what is made of pairs."""
        return self.tokenizer.fingerprint + ("" if self._segments else " in one segment")

    @property
    def _segments(self) -> bool:
        """Whether the texts of a pair are told apart by segments as well."""
        return self.encoder.get("model_type") not in ONE_SEGMENT

    def encode(
        self, records: Source | Sequence[Record], *, max_length: int, too_long: TooLong, name: str
    ) -> EncodedTexts:
        """Cut every word into pieces."""
        rows, choices = expand_texts(records, name)
        limits: Any = {"max_length": max_length, "too_long": too_long, "name": name}
        found = encode_pieces(rows, self.tokenizer, **limits, segments=self._segments)
        return dataclasses.replace(found, choices=choices)

    def example(self, choices: int) -> Record:
        """One word, with as many answers to choose from."""
        return example_text(choices)

    def save(self, directory: pathlib.Path) -> Checksums:
        """Write tokenizer.json and encoder.json."""
        self.tokenizer.save(directory / "tokenizer.json")
        path = directory / "encoder.json"
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(dict(self.encoder), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
        return {name: checksum(directory / name) for name in ("tokenizer.json", "encoder.json")}

    @classmethod
    def load(cls, directory: pathlib.Path, checksums: Checksums) -> PieceInputs:
        """Read what `save` wrote; raises DataError if either was altered."""
        tokenizer = PieceTokenizer.load(unaltered(directory / "tokenizer.json", checksums))
        path = unaltered(directory / "encoder.json", checksums)
        return cls(tokenizer, json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of_pretrained(cls, directory: pathlib.Path) -> PieceInputs:
        """The tokeniser and config of a Hugging Face directory."""
        from n2r_jax.models.pretrained import read_config

        config = read_config(directory)
        return cls(PieceTokenizer.load(directory / "tokenizer.json"), config)

    def describe(self, texts: EncodedTexts) -> str:
        """How many pieces a word is."""
        assert texts.pieces is not None
        pieces = len(texts.pieces.ids) / max(len(texts.ids), 1)
        kind = self.encoder.get("model_type")
        return f"{kind} of {self.encoder.get('hidden_size')} units, {pieces:.2f} pieces a word"


def expand_texts(
    records: Source | Sequence[Record], name: str
) -> tuple[Source | Sequence[Record], int]:
    """Return `expand` of texts; UserError where they are graphs (all are, if the first is)."""
    if len(records) and records[0].graph is not None:
        raise UserError(
            f"{name}, row {records[0].id!r} is a graph, and this model reads texts; set "
            "config.model.name=gcn (configs/own_graphs.py)"
        )
    return expand(records)


def example_text(choices: int) -> Record:
    """A text of one word, or a question with so many answers of one word."""
    return Record("", ("a",), 0, choices=(("a",),) * choices if choices > 1 else ())


def unaltered(path: pathlib.Path, checksums: Checksums) -> pathlib.Path:
    """The path; DataError where its file is missing or does not match its checksum."""
    try:
        intact = checksum(path) == checksums[path.name]
    except (OSError, KeyError) as error:
        raise DataError(f"cannot be read ({error})", file=path, mend=COPY_AGAIN) from error
    if not intact:
        raise DataError("does not match its checksum", file=path, mend=COPY_AGAIN)
    return path


def checksum(path: pathlib.Path) -> int:
    """CRC-32 of a file's bytes."""
    return zlib.crc32(path.read_bytes())
