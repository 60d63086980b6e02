"""Dataclasses of flat arrays kept on disk, by all that determines them.

An entry is a folder: NAME.npy for each array and entry.json, with the key it stands for, the other
fields and checksums. Folders are written aside and moved to their place, so another process sees a
whole entry or none, and an entry that is there is never written again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np

T = TypeVar("T")
FORMAT = 1
LARGEST = 10 * 2**30
"""Bytes above which the entries that were not used for longest are deleted."""
ABANDONED = 24 * 3600
"""Seconds after which a folder that is still not in its place belongs to a killed process."""
PARTIAL = ".partial-"
DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError)
"""What reading files that were altered may raise."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Cache:
    """Entries under one folder; without a folder everything is made anew.

    Fields of an entry are arrays, dataclasses of the same kind, or plain values for JSON.
    """

    root: pathlib.Path | None
    largest: int = LARGEST

    def get(
        self,
        kind: type[T],
        key: Mapping[str, Any],
        make: Callable[[], T],
        still: Callable[[], bool] = lambda: True,
    ) -> T:
        """The entry of a key, else what `make` returns, which is kept if `still` holds then.

        Arrays of an entry are read-only and mapped from the file. Warnings that `make` logged are
        logged again; a damaged entry is told and replaced. Never fails for reasons of its own: a
        folder that cannot be written is told once, and does without.
        """
        if self.root is None:
            return make()
        place = self.root / f"{kind.__name__}-{_digest([FORMAT, kind.__name__, key])}"
        found = self._read(place, kind)
        if found is not None:
            return found
        with _overheard() as warnings:
            made = make()
        if still():
            self._write(place, key, made, warnings)
        return made

    def _read(self, place: pathlib.Path, kind: type[T]) -> T | None:
        """An intact entry; one that is damaged is moved out of the way."""
        if not os.path.isdir(place):
            return None
        try:
            found, warnings = read_entry(place, kind)
        except DAMAGE as error:
            reason = "a file is missing" if isinstance(error, FileNotFoundError) else str(error)
        else:
            for warning in warnings:
                logger.warning("%s", warning)
            with contextlib.suppress(OSError):
                os.utime(place)  # when it was last used
            return found
        logger.warning("the cached %s is damaged (%s) and is made anew", place, reason)
        shutil.rmtree(place, ignore_errors=True)
        return None

    def _write(
        self, place: pathlib.Path, key: Mapping[str, Any], made: Any, warnings: list[str]
    ) -> None:
        assert self.root is not None
        partial = self.root / f"{PARTIAL}{uuid.uuid4().hex}"
        try:
            partial.mkdir(parents=True)
            write_entry(partial, key, made, warnings)
            _move(partial, place)
            prune(self.root, self.largest)
        except OSError as error:
            logger.warning(
                "%s cannot be written (%s): texts are read and looked up again at every start; "
                "name another folder by --config.data.cache, or 'off'",
                self.root,
                error.strerror or error,
            )
            self.root = None  # once is enough
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_entry(
    folder: pathlib.Path, key: Mapping[str, Any], made: Any, warnings: list[str]
) -> None:
    """Write a dataclass into an empty folder; OSError where that cannot be done."""
    content = {"key": key, "value": _store(folder, made, ""), "warnings": warnings}
    text = json.dumps(content | {"checksum": _digest(content)}, indent=1)
    (folder / "entry.json").write_text(text + "\n", encoding="utf-8")


def read_entry(folder: pathlib.Path, kind: type[T]) -> tuple[T, list[str]]:
    """What `write_entry` wrote, and the warnings; OSError or ValueError if it is not intact."""
    content = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
    if content.pop("checksum", None) != _digest(content):
        raise ValueError("entry.json does not match its checksum")
    return _load(folder, content["value"], kind), content["warnings"]


def prune(root: pathlib.Path, largest: int) -> None:
    """Delete the entries unused for longest until at most `largest` bytes are left."""
    entries = []
    for folder in root.iterdir():
        with contextlib.suppress(OSError):  # another process deletes too
            used = folder.stat().st_mtime
            if not folder.name.startswith(PARTIAL):
                size = sum(file.stat().st_size for file in folder.iterdir())
                entries.append((used, size, folder))
            elif used < time.time() - ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries)[:-1]:  # never the newest, however large
        if total <= largest:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= size


def _store(folder: pathlib.Path, value: Any, name: str) -> Any:
    """A value as JSON; its arrays become files named after their fields."""
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value)]
        stem = f"{name}." if name else ""
        return {"fields": {f: _store(folder, getattr(value, f), stem + f) for f in fields}}
    if not isinstance(value, np.ndarray):
        return {"plain": value.item() if isinstance(value, np.generic) else value}
    np.save(folder / f"{name}.npy", value, allow_pickle=False)
    return {"file": f"{name}.npy", "checksum": _checksum(value)}


def _load(folder: pathlib.Path, stored: Mapping[str, Any], hint: Any) -> Any:
    """The value of a hinted type; its arrays are mapped, not read into memory."""
    if "plain" in stored:
        value = stored["plain"]
        return tuple(value) if isinstance(value, list) else value
    if "file" in stored:
        mapped = np.load(folder / stored["file"], mmap_mode="r", allow_pickle=False)
        array = mapped.view(np.ndarray)  # np.memmap's own slices are ten times as slow
        if _checksum(array) != stored["checksum"]:
            raise ValueError(f"{stored['file']} does not match its checksum")
        return array
    kind = next(k for k in (hint, *get_args(hint)) if dataclasses.is_dataclass(k))
    hints = get_type_hints(kind)
    fields = stored["fields"].items()
    return kind(**{name: _load(folder, inner, hints[name]) for name, inner in fields})


def _checksum(array: np.ndarray) -> int:
    """CRC-32 of the numbers, and of how they are to be read."""
    kind = f"{array.dtype.str} {array.shape}".encode()
    numbers = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return zlib.crc32(numbers.data, zlib.crc32(kind))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _move(folder: pathlib.Path, place: pathlib.Path) -> None:
    """Move a folder to its place, unless another process was there first: then it stays."""
    try:
        os.rename(folder, place)
    except OSError:
        if not place.is_dir():
            raise


@contextlib.contextmanager
def _overheard() -> Generator[list[str], None, None]:
    """The warnings that this package logs meanwhile; they are shown all the same."""
    messages: list[str] = []
    own = logging.getLogger("n2r_jax")
    shown = own.hasHandlers()

    def remember(record: logging.LogRecord) -> None:
        messages.append(record.getMessage())
        if not shown and logging.lastResort:  # which logging leaves out if there is any handler
            logging.lastResort.handle(record)

    handler = logging.Handler(logging.WARNING)
    handler.emit = remember
    own.addHandler(handler)
    try:
        yield messages
    finally:
        own.removeHandler(handler)
