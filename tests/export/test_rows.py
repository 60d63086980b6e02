"""Which texts an export is of: files row by row, ERASER directories, or the run's own split."""

import json

import pytest

from n2r_jax.data.reviews import Reviews
from n2r_jax.errors import BadRows, DataError
from n2r_jax.export.rows import InputRow, data_path, eraser_directory, read_rows
from tests import tiny
from tests.score.eraser_files import annotation, evidence, write_directory, write_lines

LABELS = ("neg", "pos")


def read(path, *, split="test", labels=LABELS, need_labels=False, config=None):
    return list(read_rows(path, split, labels, config or tiny.config(), need_labels=need_labels))


def test_a_file_keeps_texts_ids_labels_and_marks(tmp_path):
    rows = [
        {"text": "It's good.", "label": "pos", "char_spans": [[5, 9]]},
        {"id": 7, "tokens": ["a b", "c"], "label": 0, "rationale": [0, 1], "text": "ignored"},
        {"tokens": ["x"]},
    ]
    assert read(write_lines(tmp_path / "mine.jsonl", rows)) == [
        InputRow("mine-1", ("It", "'s", "good", "."), "pos", (0, 0, 1, 0), "It's good."),
        InputRow("7", ("a b", "c"), "neg", (0, 1)),
        InputRow("mine-3", ("x",)),
    ]


def test_numbers_in_csv_are_labels_unless_they_are_names(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text,label\nfine,1\nso so,\n")
    assert [row.label for row in read(path)] == ["pos", None]
    assert [row.label for row in read(path, labels=("1", "2"))] == ["1", None]


def test_bad_rows_are_all_named_and_end_the_export(tmp_path):
    rows = [{"text": "fine", "label": "pos"}, {"text": ""}, {"text": "x", "label": "mixed"}]
    rows += [
        {"text": "y", "label": 2},
        {"id": "mine-1", "text": "z", "label": "pos"},
        {"text": "z"},
    ]
    path = write_lines(tmp_path / "mine.jsonl", rows)
    with path.open("a") as file:
        file.write("{broken\n")
    got = read_rows(path, "test", LABELS, None, need_labels=True)
    assert next(got).id == "mine-1"
    with pytest.raises(BadRows) as raised:
        next(got)
    assert [error.line for error in raised.value.errors] == [2, 3, 4, 5, 6, 7]
    assert "no label" in str(raised.value.errors[4])
    assert len(raised.value.errors) == 1 + len(read_errors(path))


def read_errors(path):
    """Of the same rows where labels are not needed."""
    with pytest.raises(BadRows) as raised:
        read(path)
    return raised.value.errors


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"empty\.jsonl: no rows"):
        read(write_lines(tmp_path / "empty.jsonl", []))
    with pytest.raises(DataError, match="this is a directory"):
        read(tmp_path)


def test_rows_of_an_eraser_directory_know_their_documents(tmp_path):
    documents = {"b": "good film .\n\ntruly good\n", "a": "dull\n"}
    rows = [
        annotation("q", "pos", evidence("b", 0, 1), evidence("a", 0, 1)),
        annotation("a", "neg"),
    ]
    directory = write_directory(tmp_path / "data", documents, rows, split="val")
    both = InputRow(
        "q",
        ("dull", "good", "film", ".", "truly", "good"),
        "pos",
        (1, 1, 0, 0, 0, 0),
        documents=(("a", 1), ("b", 5)),
    )
    alone = InputRow("a", ("dull",), "neg", (0,), documents=(("a", 1),))
    assert read(directory, split="dev") == read(directory, split="val") == [both, alone]
    assert eraser_directory(directory) == directory and eraser_directory(tmp_path) is None


def test_the_runs_own_data_are_found(tmp_path):
    config = tiny.config()
    assert data_path(None, "test", config) is None
    rows = read(None, labels=("negative", "positive"), config=config)
    assert [row.id for row in rows] == [record.id for record in Reviews("test", size=20)]
    assert rows[0].label in ("negative", "positive") and rows[0].rationale
    files = tiny.config(data__name="files", data__dev="dev.jsonl")
    assert data_path(None, "val", files).name == "dev.jsonl"
    assert data_path("other.csv", "val", files).name == "other.csv"
    assert data_path(None, "test", tiny.config(data__name="eraser", data__train="d")).name == "d"


def test_a_large_file_is_not_read_ahead(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps({"text": f"row {i}"}) + "\n" for i in range(5))
        file.write("{broken\n" * 5)
    rows = read_rows(path, "test", LABELS, None, need_labels=False)
    assert [next(rows).id for _ in range(5)] == [f"rows-{i}" for i in range(1, 6)]
