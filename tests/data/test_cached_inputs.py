"""A second start finds everything as the first one did, without reading a row."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from n2r_jax.data import cached_inputs, encoding, sources
from n2r_jax.data.cache import Cache
from n2r_jax.data.cached_inputs import cached_texts, content_of, open_cache, open_source
from n2r_jax.data.encoding import EncodedPieces, encode_texts
from n2r_jax.data.memory import MemorySource
from n2r_jax.data.records import Record, Source
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import BadRows, DataError, UserError
from n2r_jax.evaluate import evaluate
from n2r_jax.run_data import read_data
from n2r_jax.run_directory import RunDirectory
from n2r_jax.train import train
from tests import tiny


@pytest.fixture
def files(tmp_path):
    """A config of two files, with a cache of its own."""
    paths = {
        s: tiny.write_rows(tmp_path / f"{s}.jsonl", s, n) for s, n in (("train", 30), ("dev", 9))
    }
    return tiny.config(
        data__name="files",
        data__train=str(paths["train"]),
        data__dev=str(paths["dev"]),
        data__cache=str(tmp_path / "cache"),
    )  # fmt: skip


def read(config, directory="no run"):
    return read_data(config, RunDirectory(directory))


def forbid(monkeypatch, *names):
    def never(*_, **__):
        raise AssertionError("done again")

    for module, name in names:
        monkeypatch.setattr(module, name, never)


ALL_WORK = (
    (cached_inputs, "open_split"),
    (encoding.Vocabulary, "encode"),
    (sources, "_open_file"),
)


def assert_same(found, wanted):
    for name in ("train", "dev"):
        one, other = getattr(found, name), getattr(wanted, name)
        for field in ("ids", "rationales", "starts", "labels", "annotated"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
            assert getattr(one, field).dtype == getattr(other, field).dtype
        assert one.truncated == other.truncated > 0
    assert (found.labels, found.facts) == (wanted.labels, wanted.facts)
    assert found.inputs.vocabulary == wanted.inputs.vocabulary
    np.testing.assert_array_equal(found.inputs.table, wanted.inputs.table)


def test_a_second_start_does_no_work_and_finds_the_same(files, monkeypatch):
    first = read(files)
    forbid(monkeypatch, *ALL_WORK)
    assert_same(read(files), first)


def test_without_a_cache_everything_is_the_same(files):
    first = read(files)
    with files.unlocked():
        files.data.cache = "off"
    assert_same(first, read(files))


def test_generated_texts_are_cached_too(files, monkeypatch):
    config = tiny.config(data__cache=files.data.cache)
    first = read(config)
    forbid(monkeypatch, (encoding.Vocabulary, "encode"))
    assert_same(read(config), first)


def test_a_run_that_goes_on_takes_its_words_and_the_cached_texts(files, tmp_path, monkeypatch):
    run = str(tmp_path / "run")
    with files.unlocked():
        files.training.epochs = 1
    train(files, run)
    forbid(monkeypatch, *ALL_WORK, (Cache, "_write"))
    with files.unlocked():
        files.training.epochs = 2
    train(files, run)
    assert tiny.lines(tmp_path / "run")[-1]["epoch"] == 2


def test_the_cache_may_be_elsewhere_when_a_run_goes_on(files, tmp_path):
    with files.unlocked():
        files.training.epochs = 1
    train(files, str(tmp_path / "run"))
    with files.unlocked():
        files.data.cache = "off"
    train(files, str(tmp_path / "run"))


def test_a_changed_file_is_read_anew_and_a_run_refuses_it(files, tmp_path):
    with files.unlocked():
        files.training.epochs = 1
    train(files, str(tmp_path / "run"))
    path = pathlib.Path(files.data.train)
    path.write_text(path.read_text().replace('"the"', '"thy"', 1))
    assert "thy" in read(files).inputs.vocabulary.words
    with pytest.raises(UserError, match="the train data are not those that"):
        train(files, str(tmp_path / "run"))


CHANGES = {
    "data__max_length": 16,
    "data__min_count": 2,
    "data__lowercase": False,
    "data__seed": 5,
    "model__dimension": 6,
    "data__vectors_norm": 2.0,
}


@pytest.mark.parametrize("field", CHANGES)
def test_whatever_changes_the_result_is_another_entry(files, field):
    read(files)
    section, _, name = field.partition("__")
    with files.unlocked():
        files[section][name] = CHANGES[field]
    cached = read(files)
    files.data.cache = "off"
    assert_same(cached, read(files))


def test_other_code_reads_anew(files, monkeypatch):
    read(files)
    monkeypatch.setattr(cached_inputs, "code_fingerprint", lambda: "a later release")
    forbid(monkeypatch, (cached_inputs, "open_split"))
    with pytest.raises(AssertionError, match="done again"):
        read(files)


def add_row(path, row):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def test_bad_rows_are_told_at_every_start(files):
    add_row(files.data.train, {"tokens": ["good"], "label": ""})
    for _ in range(2):
        with pytest.raises(BadRows, match="line 31: no label"):
            read(files)


def test_a_strange_label_is_told_at_every_start(files):
    read(files)
    add_row(files.data.dev, {"tokens": ["good"], "label": "lukewarm"})
    for _ in range(2):
        with pytest.raises(BadRows, match="line 10: label 'lukewarm' is not in the label set"):
            read(files)


def test_too_long_texts_are_refused_at_every_start(files):
    read(files)
    files.data.too_long = "error"
    for _ in range(2):
        with pytest.raises(UserError, match=r"train, row 'train/0': \d+ tokens, the limit is 32"):
            read(files)


def test_a_missing_file_is_the_readers_error(files):
    pathlib.Path(files.data.dev).unlink()
    with pytest.raises(DataError, match="no such file"):
        read(files)


def test_labels_are_part_of_what_a_file_is_read_by(files):
    names = open_source(open_cache(files.data.cache), files.data, "dev").label_names
    turned = open_source(open_cache(files.data.cache), files.data, "dev", names[::-1])
    assert turned.label_names == names[::-1]


def test_a_file_that_changes_while_it_is_read_is_not_remembered(files, monkeypatch):
    def open_split(data, split, labels):
        source = sources.open_split(data, split, labels)
        add_row(data[split], {"tokens": ["late"], "label": source.label_names[0]})
        return source

    monkeypatch.setattr(cached_inputs, "open_split", open_split)
    cache = open_cache(files.data.cache)
    assert [len(open_source(cache, files.data, "dev")) for _ in range(3)] == [9, 10, 11]


def test_records_of_a_deferred_source_are_read_when_asked_for(files):
    cache = open_cache(files.data.cache)
    opened = open_source(cache, files.data, "dev")
    deferred = open_source(cache, files.data, "dev")
    assert isinstance(deferred, Source) and type(deferred) is not type(opened)
    assert [deferred[i] for i in range(len(deferred))] == [opened[i] for i in range(len(opened))]


def test_a_deferred_source_notices_that_its_file_became_another(files):
    cache = open_cache(files.data.cache)
    open_source(cache, files.data, "dev")
    deferred = open_source(cache, files.data, "dev")
    add_row(files.data.dev, {"tokens": ["late"], "label": deferred.label_names[0]})
    with pytest.raises(UserError, match="changed while they were being read"):
        deferred[0]


def test_eraser_documents_are_part_of_the_content(tmp_path, files):
    folder = tmp_path / "eraser"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "a").write_text("good beer")
    row = {"annotation_id": "a", "classification": "POS", "evidences": []}
    (folder / "train.jsonl").write_text(json.dumps(row) + "\n")
    files.data.update(name="eraser", train=str(folder))
    cache = open_cache(files.data.cache)
    assert open_source(cache, files.data, "train")[0].tokens == ("good", "beer")
    before = content_of(files.data, "train")
    (folder / "docs" / "a").write_text("good bear")
    assert content_of(files.data, "train") != before
    assert open_source(cache, files.data, "train")[0].tokens == ("good", "bear")


def write_vectors(path, repeated=False):
    words = ["the", "naïve", "a b", *(["the"] if repeated else [])]
    path.write_text("".join(f"{word} {i}.0 1.0\n" for i, word in enumerate(words)))


def test_words_of_a_vectors_file_are_kept_with_the_warning_about_them(files, tmp_path, caplog):
    write_vectors(tmp_path / "vectors.txt", repeated=True)
    files.model.dimension = 2
    files.data.vectors = str(tmp_path / "vectors.txt")
    first = read(files)
    assert first.inputs.vocabulary == Vocabulary(("the", "naïve", "a b"))
    assert "1 repeated words" in caplog.text
    caplog.clear()
    assert_same(read(files), first)
    assert "1 repeated words" in caplog.text
    write_vectors(tmp_path / "vectors.txt")
    caplog.clear()
    read(files)
    assert "repeated" not in caplog.text


def test_a_missing_vectors_file_is_the_readers_error(files, tmp_path):
    files.data.vectors = str(tmp_path / "none.txt")
    with pytest.raises(DataError, match="no such file"):
        read(files)


def test_a_damaged_entry_is_made_anew_from_the_file(files, caplog):
    first = read(files)
    for path in pathlib.Path(files.data.cache).glob("EncodedTexts-*/ids.npy"):
        path.write_bytes(path.read_bytes()[:-4])
    assert_same(read(files), first)
    assert caplog.text.count("is damaged") == 2


def test_pieces_come_back_with_their_words(tmp_path):
    numbers = np.arange(5, dtype=np.int32)
    pieces = EncodedPieces(numbers, numbers, np.array([0, 5]))
    texts = encode_texts([Record("a", ("good",), 0)], Vocabulary(("good",)), max_length=3)
    made = dataclasses.replace(texts, pieces=pieces)
    cache = open_cache(str(tmp_path))
    source = MemorySource([], ("0", "1"))
    for make in (lambda: made, None):
        found = cached_texts(cache, source, "tokeniser", {"max_length": 3}, make)
    np.testing.assert_array_equal(found.pieces.words, pieces.words)
    np.testing.assert_array_equal(found.batch([0], 2, 5).pieces.ids, [[0, 1, 2, 3, 4], [0] * 5])


def test_the_default_folder_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert open_cache("").root == tmp_path / "n2r_jax" / "data"
    assert open_cache("off").root is None
    assert open_cache(str(tmp_path / "own")).root == tmp_path / "own"


def test_an_evaluation_is_cached_as_well(files, tmp_path, monkeypatch):
    with files.unlocked():
        files.training.epochs = 1
    train(files, str(tmp_path / "run"))
    report, origin = evaluate(tmp_path / "run", files.data.dev)
    assert origin["data"]["texts"] == 9
    forbid(monkeypatch, (cached_inputs, "open_split"))  # and without records nothing is encoded
    again = evaluate(tmp_path / "run", files.data.dev)
    assert again == (report, origin)


def test_a_file_in_the_caches_place_is_told_at_once(files, tmp_path):
    files.data.cache = files.data.train
    with pytest.raises(UserError, match=r"data\.cache is .*; it must be a folder, 'off' or empty"):
        train(files, str(tmp_path / "run"))
