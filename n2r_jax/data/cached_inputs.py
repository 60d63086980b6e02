"""A run's inputs from the cache: sources, vocabulary and encoded texts, each made only once.

A file whose bytes were read before is not even parsed: what is known of it (labels, number of
texts, fingerprint) stands in the cache. Only what was read without an error gets there.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import pathlib
import platform
import unicodedata
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from n2r_jax import runtime
from n2r_jax.data.cache import Cache
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.public import FORMATS, public_files
from n2r_jax.data.records import Record, Source
from n2r_jax.data.sources import open_split, reading_of
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import DataError, UserError

LIBRARIES = ("numpy", "pyarrow", "tokenizers")
"""Packages whose releases may read or cut a text differently."""
OFF = "off"

Words = tuple[Vocabulary, Float32[np.ndarray, "v e"]]


def open_cache(folder: str) -> Cache:
    """The cache in a folder, by default in the user's cache folder; 'off' keeps nothing."""
    if folder == OFF:
        return Cache(None)
    return Cache(pathlib.Path(folder) if folder else runtime.cache_directory() / "data")


@dataclasses.dataclass(frozen=True)
class SourceFacts:
    """What is known of a source without its records."""

    label_names: tuple[str, ...]
    fingerprint: str
    texts: int


@dataclasses.dataclass
class DeferredSource:
    """A `Source` that is opened when a record is asked for."""

    facts: SourceFacts
    open: Callable[[], Source]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.facts.label_names

    @property
    def fingerprint(self) -> str:
        """A hex digest of the content."""
        return self.facts.fingerprint

    def __len__(self) -> int:
        return self.facts.texts

    def __getitem__(self, index: int) -> Record:
        return self._opened[index]

    @functools.cached_property
    def _opened(self) -> Source:
        source = self.open()
        if source.fingerprint != self.fingerprint:
            raise UserError("the data changed while they were being read; start again")
        return source


def open_source(cache: Cache, data: Any, split: str, labels: Sequence[str] | None = None) -> Source:
    """Open a split as `open_split` does; files that were read before are not read again.

    Sources that are not files of the user are opened at once: they are generated or prepared.
    """
    content = content_of(data, split)
    if content is None:
        return open_split(data, split, labels)
    opened: list[Source] = []

    def read() -> SourceFacts:
        opened.append(open_split(data, split, labels))
        (source,) = opened
        return SourceFacts(tuple(source.label_names), source.fingerprint, len(source))

    key = {
        "content": content,
        "labels": list(labels or data.labels),
        "code": code_fingerprint(),
        "reading": [split, *dataclasses.astuple(reading_of(data))],
    }
    # A file that changes while it is read must not be known by the bytes that it had before.
    facts = cache.get(SourceFacts, key, read, still=lambda: content_of(data, split) == content)
    return opened[0] if opened else DeferredSource(facts, lambda: open_split(data, split, labels))


def content_of(data: Any, split: str) -> list[str] | None:
    """Digests of all bytes that a split is read from, with the files' names (ids hold them).

    None for data that are no files, and for files that cannot be read: their reader says why.
    """
    try:
        if data.name == "files" and data[split]:
            return [data.name, *_digests([pathlib.Path(data[split])])]
        if data.name == "graphs" and (path := data[split] or data.train):
            return [data.name, *_digests([pathlib.Path(path)])]
        if data.name == "eraser" and data.train:
            folder = pathlib.Path(data.train)
            rows = folder / f"{'val' if split == 'dev' else split}.jsonl"
            documents = sorted(p for p in folder.glob("docs/*") if p.is_file())
            return [data.name, *_digests([rows, *folder.glob("docs.jsonl"), *documents])]
        if data.name in FORMATS and data.train:
            drawn = [f"{data[name]}" for name in ("sizes", "polarity_sampling", "seed")]
            return [data.name, *drawn, *_digests(public_files(data.name, data.train, split))]
    except (OSError, KeyError, DataError):
        return None
    return None


def cached_vocabulary(
    cache: Cache, config: Any, train: Source, make: Callable[[Any, Source], Words]
) -> Words:
    """`make(config, train)`: the words of the vectors file or of train, with their vectors."""
    data = config.data
    try:
        content = _digests([pathlib.Path(data.vectors)]) if data.vectors else train.fingerprint
    except OSError:
        return make(config, train)  # tells what is wrong with the file
    fields = ("vectors_limit", "vectors_norm", "seed", "min_count", "lowercase")
    key = {name: data[name] for name in fields} | {
        "content": content,
        "dimension": config.model.dimension,
        "code": code_fingerprint(),
    }
    found = cache.get(CachedWords, key, lambda: CachedWords.of(*make(config, train)))
    return found.vocabulary(), found.table


def cached_texts(
    cache: Cache, source: Source, by: str, limits: dict[str, Any], make: Callable[[], EncodedTexts]
) -> EncodedTexts:
    """The texts of a source, encoded by the words or pieces of fingerprint `by`; else `make()`.

    limits: what else encoding depends on, as values for JSON.
    """
    key = {"source": source.fingerprint, "by": by, "code": code_fingerprint()} | limits
    return cache.get(EncodedTexts, key, make)


@dataclasses.dataclass(frozen=True)
class CachedWords:
    """A vocabulary as flat arrays: word i is the UTF-8 of text[ends[i - 1] : ends[i]]."""

    text: UInt8[np.ndarray, " bytes"]
    ends: Int64[np.ndarray, " w"]
    lowercase: bool
    table: Float32[np.ndarray, "v e"]

    @classmethod
    def of(cls, vocabulary: Vocabulary, table: Float32[np.ndarray, "v e"]) -> CachedWords:
        """Pack a vocabulary and its vectors."""
        words = [word.encode("utf-8", "surrogatepass") for word in vocabulary.words]
        text = np.frombuffer(b"".join(words), np.uint8)
        ends = np.cumsum([len(word) for word in words], dtype=np.int64)
        return cls(text, ends, vocabulary.lowercase, table)

    def vocabulary(self) -> Vocabulary:
        """The words again."""
        text, ends = self.text.tobytes(), self.ends.tolist()
        slices = zip([0, *ends], ends, strict=False)
        words = (text[start:end].decode("utf-8", "surrogatepass") for start, end in slices)
        return Vocabulary(tuple(words), self.lowercase)


@functools.cache
def code_fingerprint() -> str:
    """A digest of the code that reads, cuts and looks up, and of the releases it stands on.

    Of the code itself: a number that has to be raised by hand would be forgotten one day.
    """
    here = pathlib.Path(__file__).parent
    digest = hashlib.sha256()
    others = (here.parent / name for name in ("assemble_model.py", "graph_inputs.py"))
    for path in (*sorted(here.glob("*.py")), *others):
        digest.update(path.name.encode() + path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {_version(library)}".encode())
    digest.update(f"{platform.python_version()} {unicodedata.unidata_version}".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"


def _digests(paths: Sequence[os.PathLike[str]]) -> list[str]:
    """Name, size and SHA-256 of files; about 1.4 GB/s, a hundredth of the time of parsing."""
    found = []
    for path in map(pathlib.Path, paths):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append(f"{path.name} {file.tell()} {digest}")
    return found
