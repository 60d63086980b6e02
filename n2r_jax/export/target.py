"""Where an export goes and what it tells of its run: files appear in one step, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from n2r_jax.errors import DataError, UserError
from n2r_jax.export.predicted import Predicted

SPACE = re.compile(r"\s")


@dataclasses.dataclass(frozen=True)
class Target:
    """The place of an export and the run behind it."""

    path: Path
    labels: tuple[str, ...]
    """Names of the classes, in the order of their numbers."""
    task: str
    """Name of the data."""
    version: str
    """Method and checkpoint: 'n2r best, step 120'."""
    data_dir: Path | None = None
    """The ERASER directory that the data are, if they are one."""
    split: str = "test"
    overwrite: bool = False


Write = Callable[[Iterable[Predicted], Target], list[str]]
"""(rows, target) -> what the user has to know, a line each."""


def plain_token(token: str) -> str:
    """A token for files that part tokens by white space: "_" for each that it holds, or for ""."""
    return SPACE.sub("_", token) or "_"


def write_file(target: Target, chunks: Iterable[str]) -> None:
    """Write pieces of text, one after the other, as the target's only file."""
    refuse_existing(target.path, target.overwrite)
    with new_file(target.path) as file:
        for chunk in chunks:
            file.write(chunk)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise UserError where a file's place is taken, unless it may be overwritten."""
    if path.is_dir():
        raise UserError(f"--out {path} is a directory; name a file")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already; name another --out, or add --overwrite")


def write_arrays(target: Target, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as the target's only file, an .npz without any pickle."""
    refuse_existing(target.path, target.overwrite)
    with _in_one_step(target.path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


@contextlib.contextmanager
def new_file(path: Path) -> Generator[TextIO, None, None]:
    """A file to write text to, which comes to its place when all went well.

    Raises DataError where it cannot be written.
    """
    with (
        _in_one_step(path) as partial,
        partial.open("w", encoding="utf-8", newline="\n") as file,
    ):
        yield file


@contextlib.contextmanager
def _in_one_step(path: Path) -> Generator[Path, None, None]:
    """A file aside, which comes to its place when all went well."""
    partial = path.with_name(path.name + ".partial")
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


@contextlib.contextmanager
def new_folder(path: Path) -> Generator[Path, None, None]:
    """A folder to write files into, which come to their place when all went well.

    Files of the same names that are there already are replaced, others stay. Raises DataError
    where it cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial-{uuid.uuid4().hex[:8]}")
    try:
        with _writing(path):
            partial.mkdir(parents=True)
            yield partial
            if not path.exists():
                partial.rename(path)
                return
            for file in sorted(partial.iterdir()):
                file.replace(path / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _writing(path: Path) -> Generator[None, None, None]:
    """Turn what the operating system refuses into a DataError."""
    try:
        yield
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise DataError(reason, file=path, mend="name a place elsewhere by --out") from error
