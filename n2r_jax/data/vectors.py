"""Pretrained word vectors: GloVe's text format (plain, .gz, .zip) and NumPy archives."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import itertools
import logging
import os
import pathlib
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from jaxtyping import Float32

from n2r_jax.errors import DataError

logger = logging.getLogger(__name__)

Words = tuple[str, ...]
Matrix = Float32[np.ndarray, "v e"]

_BLOCK = 4096  # rows turned into numbers at once: large enough to be fast, small enough to hold
_BROKEN = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, UnicodeDecodeError)
_DOWNLOAD = "download it again"
_NUMBER = re.compile(r"-?\d*\.\d+(e-?\d+)?")


def read_vectors(
    path: str | os.PathLike[str],
    *,
    dimension: int | None = None,
    words: Collection[str] | None = None,
    limit: int | None = None,
    arrays: tuple[str, str] | None = None,
) -> tuple[Words, Matrix]:
    """Return the words of a file and their float32 vectors [v, e], in the file's order.

    `dimension` is checked, or found in the file. Only words in `words` are kept, if it is given,
    and at most `limit` of them. A word that occurs again keeps its first vector; how many did is
    logged. Text may have a word2vec header ("400000 100") and words with spaces (GloVe 840B). A
    .npz holds `words` and `vectors`, or pairs such as `glove_words` and `glove_6b_100d`, of which
    `arrays` names one (`dimension` is enough if it tells them apart). Raises DataError, which
    names the line, for a file that is missing, broken or holds anything but finite numbers.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise DataError("no such file", file=path, mend="check the path of the word vectors")
    keep = _Keeper(words, limit)
    if path.suffix == ".npz":
        found, matrix = _read_arrays(path, dimension, arrays)
        matrix = matrix[[row for row, word in enumerate(found) if keep(word)]]
    else:
        matrix = _read_text(path, dimension, keep)
    if keep.repeated:
        logger.warning("%s: %d repeated words, the first vector kept", path, keep.repeated)
    return tuple(keep.words), matrix


class _Keeper:
    """Decides which words are kept, remembers them in order and counts repetitions."""

    def __init__(self, wanted: Collection[str] | None, limit: int | None):
        self.wanted = None if wanted is None else frozenset(wanted)
        self.limit = limit
        self.words: dict[str, None] = {}
        self.repeated = 0

    @property
    def full(self) -> bool:
        return self.limit is not None and len(self.words) >= self.limit

    def __call__(self, word: str) -> bool:
        if self.full or (self.wanted is not None and word not in self.wanted):
            return False
        if word in self.words:
            self.repeated += 1
            return False
        self.words[word] = None
        return True


@dataclasses.dataclass(frozen=True)
class _Shape:
    """What the first line tells: numbers in a row, and the rows of a header if there is one."""

    dimension: int
    rows: int | None


def _read_text(path: pathlib.Path, dimension: int | None, keep: _Keeper) -> Matrix:
    blocks: list[Matrix] = []
    try:
        with _open_text(path) as stream:
            first = stream.readline()
            shape = _first_line(path, first, dimension)
            lines = stream if shape.rows is not None else itertools.chain([first], stream)
            start = 1 if shape.rows is None else 2
            for texts, rows in _kept_rows(path, enumerate(lines, start), shape, keep):
                blocks.append(_to_numbers(path, texts, rows))
    except _BROKEN as error:
        raise DataError(f"cannot be read ({error})", file=path, mend=_DOWNLOAD) from error
    empty = np.zeros((0, shape.dimension), np.float32)
    return np.concatenate([empty, *blocks])


@contextlib.contextmanager
def _open_text(path: pathlib.Path) -> Iterator[io.TextIOWrapper]:
    """Open a plain, gzipped or zipped text; lines end at a newline only (words hold U+0085)."""
    with contextlib.ExitStack() as stack:
        if path.suffix == ".gz":
            raw = stack.enter_context(gzip.open(path))
        elif path.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            raw = stack.enter_context(archive.open(_text_member(path, archive)))
        else:
            raw = stack.enter_context(open(path, "rb"))
        yield stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline="\n"))


def _text_member(path: pathlib.Path, archive: zipfile.ZipFile) -> str:
    members = [name for name in archive.namelist() if not name.endswith("/")]
    if len(members) != 1:
        mend = "unpack it and give the path of one text"
        raise DataError(f"holds {len(members)} files ({members[:4]})", file=path, mend=mend)
    return members[0]


def _first_line(path: pathlib.Path, line: str, dimension: int | None) -> _Shape:
    fields = line.rstrip("\r\n ").split(" ")
    if len(fields) < 2:
        mend = "each line needs a word and its numbers, separated by one space"
        raise DataError("holds no vector", file=path, line=1, mend=mend)
    header = len(fields) == 2 and all(field.isdecimal() for field in fields)
    found = int(fields[1]) if header else len(fields) - 1
    if dimension is not None and (found < dimension or (header and found != dimension)):
        raise _wrong_dimension(path, found, dimension)
    return _Shape(dimension or found, int(fields[0]) if header else None)


def _wrong_dimension(path: pathlib.Path, found: int, asked: int | None) -> DataError:
    mend = f"ask for dimension {found} or give another file"
    return DataError(f"has {found} numbers a word, {asked} were asked", file=path, mend=mend)


def _kept_rows(
    path: pathlib.Path, lines: Iterator[tuple[int, str]], shape: _Shape, keep: _Keeper
) -> Iterator[tuple[list[str], list[int]]]:
    """Yield blocks of the kept rows: their numbers, still as text, and their line numbers."""
    texts: list[str] = []
    rows: list[int] = []
    row = 0
    for row, line in lines:
        word, numbers = _split(path, row, line.rstrip("\r\n "), shape.dimension)
        if keep(word):
            texts.append(numbers)
            rows.append(row)
        if len(rows) == _BLOCK:
            yield texts, rows
            texts, rows = [], []
        if keep.full:
            break
    if not keep.full and shape.rows is not None and row - 1 != shape.rows:
        problem = f"holds {row - 1} words, its first line promises {shape.rows}"
        raise DataError(problem, file=path, mend=_DOWNLOAD)
    if rows:
        yield texts, rows


def _split(path: pathlib.Path, row: int, line: str, dimension: int) -> tuple[str, str]:
    """Return the word and the text of its numbers; a surplus of spaces belongs to the word."""
    if line.count(" ") == dimension:
        word, numbers = line.split(" ", 1)
        return word, numbers
    word, *fields = line.rsplit(" ", dimension)
    if len(fields) != dimension or _NUMBER.fullmatch(word.rsplit(" ", 1)[-1]):
        problem = f"{line.count(' ')} numbers where {dimension} are expected"
        raise DataError(problem, file=path, line=row, mend=_DOWNLOAD)
    return word, " ".join(fields)


def _to_numbers(path: pathlib.Path, texts: Sequence[str], rows: Sequence[int]) -> Matrix:
    """Return a block as float32; only if that fails is the row at fault looked for."""
    try:
        matrix = np.loadtxt(texts, np.float32, comments=None, delimiter=" ", ndmin=2)
    except ValueError:
        for text, row in zip(texts, rows, strict=True):
            _check_numbers(path, text, row)
        raise
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        row = rows[int(np.argmin(finite))]
        raise DataError("a number is not finite", file=path, line=row, mend=_DOWNLOAD)
    return matrix


def _check_numbers(path: pathlib.Path, text: str, row: int) -> None:
    for field in text.split(" "):
        try:
            float(field.replace("_", "?"))  # Python reads 1_0 as ten, a file of numbers does not
        except ValueError as error:
            problem = f"{field!r} is not a number"
            raise DataError(problem, file=path, line=row, mend=_DOWNLOAD) from error


def _read_arrays(
    path: pathlib.Path, dimension: int | None, arrays: tuple[str, str] | None
) -> tuple[Sequence[str], Matrix]:
    try:
        # np.load leaves a broken file open if it opens it itself
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            chosen = arrays or _choose_arrays(path, archive, dimension)
            words, vectors = (archive[name] for name in chosen)
    except (*_BROKEN, ValueError, OSError, TypeError) as error:
        raise DataError(f"cannot be read ({error})", file=path, mend=_DOWNLOAD) from error
    except KeyError as error:
        mend = "name two of its arrays"
        raise DataError(f"has no such array ({error.args[0]})", file=path, mend=mend) from error
    fits = vectors.ndim == 2 and words.shape == vectors.shape[:1] and words.dtype.kind == "U"
    if not fits or vectors.dtype.kind != "f":
        problem = f"{chosen[0]} {words.shape} and {chosen[1]} {vectors.shape} are no words [v] and"
        raise DataError(f"{problem} vectors [v, e]", file=path, mend="name two other arrays")
    if dimension not in (None, vectors.shape[1]):
        raise _wrong_dimension(path, vectors.shape[1], dimension)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        word = str(words[np.argmin(finite)])
        raise DataError(f"the vector of {word!r} is not finite", file=path, mend=_DOWNLOAD)
    return words.tolist(), vectors.astype(np.float32)


def _choose_arrays(
    path: pathlib.Path, archive: np.lib.npyio.NpzFile, dimension: int | None
) -> tuple[str, str]:
    """Return `words` and `vectors`, or the only pair `X_words` and `X_..d` of that dimension."""
    if {"words", "vectors"} <= set(archive.files):
        return ("words", "vectors")
    pairs = [
        (name, other)
        for name in archive.files
        if name.endswith("_words")
        for other in archive.files
        if re.fullmatch(
            rf"{re.escape(name.removesuffix('words'))}(.*\D)?{dimension or ''}\d*d", other
        )
    ]
    if dimension is not None:
        pairs = [pair for pair in pairs if archive[pair[1]].shape[1:] == (dimension,)]
    if len(pairs) != 1:
        problem = f"holds {len(pairs)} fitting pairs of arrays (it has {', '.join(archive.files)})"
        raise DataError(problem, file=path, mend="name the arrays of the words and of the vectors")
    return pairs[0]
