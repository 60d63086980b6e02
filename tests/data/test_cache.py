"""Entries come back as they were, and nothing that happens to their folder is ever an error."""

import dataclasses
import json
import logging
import multiprocessing
import os
import time

import numpy as np
import pytest

from n2r_jax.data import cache as module
from n2r_jax.data.cache import Cache, prune


@dataclasses.dataclass(frozen=True)
class Inner:
    numbers: np.ndarray


@dataclasses.dataclass(frozen=True)
class Entry:
    words: np.ndarray
    flags: np.ndarray
    empty: np.ndarray
    names: tuple[str, ...]
    count: int
    inner: Inner | None = None


def entry(inner=True):
    return Entry(
        words=np.arange(12, dtype=np.int32).reshape(3, 4),
        flags=np.array([True, False]),
        empty=np.zeros((0, 3), np.float32),
        names=("good", "schlecht"),
        count=np.int64(7),
        inner=Inner(np.arange(3.0)) if inner else None,
    )


def never():
    raise AssertionError("made again")


def assert_same(found, wanted):
    for field in ("words", "flags", "empty"):
        np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))
        assert getattr(found, field).dtype == getattr(wanted, field).dtype
    assert (found.names, found.count) == (wanted.names, wanted.count)
    assert (found.inner is None) == (wanted.inner is None)
    if wanted.inner is not None:
        np.testing.assert_array_equal(found.inner.numbers, wanted.inner.numbers)


@pytest.mark.parametrize("inner", [True, False])
def test_an_entry_is_made_once_and_comes_back_as_it_was(tmp_path, inner):
    made = entry(inner)
    assert Cache(tmp_path).get(Entry, {"text": "a"}, lambda: made) is made
    found = Cache(tmp_path).get(Entry, {"text": "a"}, never)
    assert_same(found, made)
    assert isinstance(found.words.base, np.memmap) and type(found.words) is np.ndarray
    assert not found.words.flags.writeable


def test_another_key_is_another_entry(tmp_path):
    cache = Cache(tmp_path)
    cache.get(Entry, {"text": "a"}, entry)
    other = dataclasses.replace(entry(), count=8)
    assert cache.get(Entry, {"text": "b"}, lambda: other).count == 8
    assert Cache(tmp_path).get(Entry, {"text": "a"}, never).count == 7


def test_without_a_folder_everything_is_made_anew():
    made = [entry(), entry()]
    cache = Cache(None)
    assert [cache.get(Entry, {}, made.pop) for _ in range(2)] and not made


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "a number altered": lambda e: flip(e / "words.npy", -1),
    "a header altered": lambda e: flip(e / "words.npy", 20),
    "an inner number altered": lambda e: flip(e / "inner.numbers.npy", -1),
    "an array cut short": lambda e: (e / "words.npy").write_bytes(b"\x93NUMPY"),
    "an array emptied": lambda e: (e / "words.npy").write_bytes(b""),
    "an array deleted": lambda e: (e / "words.npy").unlink(),
    "the entry emptied": lambda e: (e / "entry.json").write_bytes(b""),
    "the entry deleted": lambda e: (e / "entry.json").unlink(),
    "the entry a list": lambda e: (e / "entry.json").write_text("[]"),
    "a count altered": lambda e: (e / "entry.json").write_text(
        (e / "entry.json").read_text().replace('"plain": 7', '"plain": 8')
    ),
    "a pickle in an array's place": lambda e: np.save(
        e / "words.npy", np.array([{}], object), allow_pickle=True
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_told_and_mended(tmp_path, caplog, damage):
    Cache(tmp_path).get(Entry, {}, entry)
    (place,) = tmp_path.iterdir()
    DAMAGE[damage](place)
    assert_same(Cache(tmp_path).get(Entry, {}, entry), entry())
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert f"the cached {place} is damaged" in caplog.text
    assert_same(Cache(tmp_path).get(Entry, {}, never), entry())


def test_a_folder_that_cannot_be_made_is_told_once_and_done_without(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache")
    for _ in range(3):
        assert_same(cache.get(Entry, {}, entry), entry())
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "cannot be written (Not a directory)" in caplog.text
    assert "--config.data.cache" in caplog.text


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, caplog, monkeypatch):
    def save(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.np, "save", save)
    assert_same(Cache(tmp_path).get(Entry, {}, entry), entry())
    assert "No space left on device" in caplog.text
    assert not list(tmp_path.iterdir())


def test_an_error_in_making_is_the_makers_and_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError, match="made again"):
        Cache(tmp_path).get(Entry, {}, never)
    assert not list(tmp_path.iterdir())


def test_what_changed_meanwhile_is_not_kept(tmp_path):
    assert_same(Cache(tmp_path).get(Entry, {}, entry, still=lambda: False), entry())
    assert not list(tmp_path.iterdir())


def test_warnings_are_heard_again(tmp_path, caplog):
    def make():
        logging.getLogger("n2r_jax.data.vectors").warning("%d repeated words", 3)
        logging.getLogger("n2r_jax.data.vectors").info("not this")
        return entry()

    for _ in range(2):
        caplog.clear()
        Cache(tmp_path).get(Entry, {}, make)
        assert [record.getMessage() for record in caplog.records] == ["3 repeated words"]


def test_warnings_are_shown_where_nobody_set_logging_up(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logger = logging.getLogger("n2r_jax.data.vectors")
    Cache(tmp_path).get(Entry, {}, lambda: (logger.warning("repeated"), entry())[1])
    assert "repeated" in capsys.readouterr().err


def race(root, barrier, results):
    def make():
        barrier.wait(60)
        return entry()

    found = Cache(root).get(Entry, {}, make)
    again = Cache(root).get(Entry, {}, never)
    results.put((found.count, again.words.sum()))


def test_two_processes_that_make_the_same_entry_at_once_both_have_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    pair = [context.Process(target=race, args=(tmp_path, barrier, results)) for _ in range(2)]
    for process in pair:
        process.start()
    assert [results.get(timeout=60) for _ in pair] == [(7, 66), (7, 66)]
    for process in pair:
        process.join(60)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_longest_unused_entries_go_first(tmp_path):
    cache = Cache(tmp_path)
    for name, age in (("a", 300), ("b", 200), ("c", 100)):
        before = set(tmp_path.iterdir())
        cache.get(Entry, {"name": name}, entry)
        (made,) = set(tmp_path.iterdir()) - before
        os.utime(made, (time.time() - age,) * 2)
    size = sum(file.stat().st_size for file in made.iterdir())
    cache.get(Entry, {"name": "a"}, never)  # now b is the one unused for longest
    prune(tmp_path, 2 * size)
    for kept in "ac":
        cache.get(Entry, {"name": kept}, never)
    assert len(list(tmp_path.iterdir())) == 2
    prune(tmp_path, 0)
    assert len(list(tmp_path.iterdir())) == 1, "the newest is in use"


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    old, new = tmp_path / f"{module.PARTIAL}old", tmp_path / f"{module.PARTIAL}new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "words.npy").write_bytes(b"half")
    os.utime(old, (time.time() - module.ABANDONED - 60,) * 2)
    prune(tmp_path, module.LARGEST)
    assert list(tmp_path.iterdir()) == [new]


def test_an_entry_tells_what_it_stands_for(tmp_path):
    Cache(tmp_path).get(Entry, {"max_length": 256}, entry)
    (place,) = tmp_path.iterdir()
    assert place.name.startswith("Entry-")
    assert json.loads((place / "entry.json").read_text())["key"] == {"max_length": 256}
    assert [str(f) for f in files_of(place)] == [
        "empty.npy", "entry.json", "flags.npy", "inner.numbers.npy", "words.npy"
    ]  # fmt: skip
