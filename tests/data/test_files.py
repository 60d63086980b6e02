"""A user's own files: every format gives the same records, every bad row is named."""

import csv
import gzip
import io
import json
import pickle
import sys
from pathlib import Path

import pytest

from n2r_jax.data.files import read_file, scan_file
from n2r_jax.data.records import Record, Source
from n2r_jax.errors import BadRows, DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"
ROWS = [
    {"id": "a", "tokens": ["good", "beer"], "label": "pos", "rationale": [1, 0], "stars": 5},
    {"id": "b", "tokens": ["bad", "!"], "label": "neg", "spans": [[0, 1], [0, 2]]},
    {"id": "c", "text": "Isn't bad, no", "label": "pos", "char_spans": [[3, 9]]},
    {"id": "d", "text": 'so "so"', "label": "neg", "rationale": None},
]
RECORDS = [
    Record("a", ("good", "beer"), 1, (1, 0)),
    Record("b", ("bad", "!"), 0, (1, 1)),
    Record("c", ("Is", "n't", "bad", ",", "no"), 1, (0, 1, 1, 0, 0)),
    Record("d", ("so", '"', "so", '"'), 0, None),
]


def write_jsonl(path, rows):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_table(path, rows):
    names = ["id", "tokens", "text", "label", "rationale", "spans", "char_spans"]
    text = io.StringIO()
    delimiter = "\t" if ".tsv" in path.name else ","
    table = csv.DictWriter(text, names, delimiter=delimiter, extrasaction="ignore")
    table.writeheader()
    for row in rows:
        cells = {k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()}
        table.writerow(cells | {"tokens": " ".join(row.get("tokens", []))})
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_parquet(path, rows):
    import pyarrow
    import pyarrow.parquet

    names = sorted({name for row in rows for name in row})
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    pyarrow.parquet.write_table(table, path)
    return path


def write(path, rows=ROWS):
    if path.suffix == ".parquet":
        return write_parquet(path, rows)
    return (write_jsonl if ".jsonl" in path.name else write_table)(path, rows)


def records_of(source):
    return [source[i] for i in range(len(source))]


@pytest.mark.parametrize(
    "name", ["x.jsonl", "x.jsonl.gz", "x.csv", "x.csv.gz", "x.tsv", "x.tsv.gz", "x.parquet"]
)
def test_every_format_gives_the_same_records(tmp_path, name):
    source = read_file(write(tmp_path / name))
    assert isinstance(source, Source)
    assert records_of(source) == RECORDS
    assert source.label_names == ("neg", "pos")
    other = read_file(write_jsonl(tmp_path / "other.jsonl", ROWS))
    assert source.fingerprint == other.fingerprint


def test_fingerprint_tells_other_content(tmp_path):
    rows = [ROWS[0] | {"tokens": ["good", "bear"]}, *ROWS[1:]]
    first = read_file(write(tmp_path / "x.jsonl"))
    assert first.fingerprint != read_file(write(tmp_path / "y.jsonl", rows)).fingerprint
    assert pickle.loads(pickle.dumps(first)).fingerprint == first.fingerprint


def test_ids_default_to_file_and_line_and_blank_lines_count(tmp_path):
    path = tmp_path / "beer.v2.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "a", "label": 0}\r\n\n{"text": "b", "label": 1, "id": 7}'
    )
    assert [record.id for record in read_file(path)] == ["beer.v2-1", "7"]


def test_equal_tokens_are_one_object(tmp_path):
    rows = [{"text": "zyzzyva one", "label": 0}, {"tokens": ["zyzzyva"], "label": 1}]
    source = read_file(write(tmp_path / "x.jsonl", rows))
    assert source[0].tokens[0] is source[1].tokens[0] is sys.intern("zyzzyva")


def test_tokens_come_before_text(tmp_path):
    rows = [{"tokens": ["a b", "c"], "text": "something else", "label": 0}]
    assert read_file(write(tmp_path / "x.jsonl", rows))[0].tokens == ("a b", "c")


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet"])
def test_integer_labels_are_indices(tmp_path, name):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]
    source = read_file(write(tmp_path / name, rows))
    assert (source.label_names, [r.label for r in source]) == (("0", "1"), [1, 0])


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_a_test_file_may_lack_labels_of_the_training_file(tmp_path, name):
    path = write(tmp_path / name, [{"text": "a", "label": 1}])
    assert read_file(path, label_names=("neg", "pos"))[0].label == 1
    with pytest.raises(DataError, match="integer labels are 1, not 0 to 0; number the labels"):
        read_file(path)


def test_csv_integers_that_are_names_stay_names(tmp_path):
    path = write(tmp_path / "x.csv", [{"text": "a", "label": 1}])
    assert read_file(path, label_names=("1", "2"))[0].label == 0


def test_csv_cells_may_hold_line_breaks_and_errors_name_the_first_line(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('text,label\n"two\nlines",a\n\nshort\n"x"y,a\n"fine, too",b\n')
    scan = scan_file(path)
    assert [record.tokens for record in scan.source] == [("two", "lines"), ("fine", ",", "too")]
    assert [error.line for error in scan.errors] == [5, 6]


BAD = [
    ({"label": 0}, "neither 'tokens' nor 'text'"),
    ({"text": "a"}, "no label"),
    ({"text": "a", "label": None}, "no label"),
    ({"text": "a", "label": True}, "label is true"),
    ({"text": "a", "label": 0.5}, "label is 0.5"),
    ({"text": "a", "label": 2}, "label 2 is not in the label set"),
    ({"text": "a", "label": "pos"}, "label 'pos' is not in the label set"),
    ({"text": " \n", "label": 0}, "text is empty"),
    ({"text": ["a"], "label": 0}, "text is not a string"),
    ({"tokens": [], "label": 0}, "no tokens"),
    ({"tokens": "a b", "label": 0}, "tokens are not a list"),
    ({"tokens": ["a", ""], "label": 0}, "token 1 is empty"),
    ({"tokens": ["a", 3], "label": 0}, "token 1 is 3, not a string"),
    ({"tokens": ["\ud800"], "label": 0}, "not valid Unicode"),
    ({"text": "a", "label": 0, "id": "ok-1"}, "id 'ok-1' again"),
    ({"text": "a", "label": 0, "id": [1]}, "id is"),
    ({"text": "a b", "label": 0, "rationale": [1]}, "rationale has 1 flags for 2 tokens"),
    ({"text": "a b", "label": 0, "rationale": [1, 2]}, "rationale flag 1 is 2"),
    ({"text": "a b", "label": 0, "rationale": [1, 0.5]}, "rationale flag 1 is 0.5"),
    ({"text": "a b", "label": 0, "rationale": "10"}, "rationale is not a list"),
    ({"text": "a b", "label": 0, "spans": [[0, 3]]}, r"span \[0, 3\] is empty or outside the 2"),
    ({"text": "a b", "label": 0, "spans": [[-1, 1]]}, "outside"),
    ({"text": "a b", "label": 0, "spans": [[1, 1]]}, "is empty or outside"),
    ({"text": "a b", "label": 0, "spans": [0, 1]}, "span 0 is not a pair"),
    ({"text": "a b", "label": 0, "spans": {"a": 1}}, "spans are not a list"),
    ({"text": "a b", "label": 0, "char_spans": [[0, 4]]}, "outside the 3 characters"),
    ({"tokens": ["a"], "label": 0, "char_spans": [[0, 1]]}, "char_spans without text"),
    ({"text": "a", "label": 0, "rationale": [1], "spans": []}, "both rationale and spans"),
    ([1, 2], "not an object but a list"),
]


@pytest.mark.parametrize(("row", "problem"), BAD)
def test_bad_rows_name_file_line_and_mend(tmp_path, row, problem):
    good = [{"text": "a", "label": label, "id": f"ok-{label}"} for label in (0, 1)]
    path = write_jsonl(tmp_path / "x.jsonl", [*good, row])
    with pytest.raises(BadRows, match=rf"x\.jsonl, line 3: .*{problem}.*; \w+") as caught:
        read_file(path, label_names=("0", "1"))
    assert len(caught.value.errors) == 1
    assert len(scan_file(path, label_names=("0", "1")).source) == 2


def test_all_bad_rows_are_raised_together(tmp_path):
    path = tmp_path / "x.jsonl"
    lines = [
        b'{"text": "a"',
        b'{"text": "\xff", "label": 0}',
        b'{"text": "a", "label": 0}',
        b"[" * 9**5,
    ]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(BadRows) as caught:
        read_file(path)
    problems = [(error.line, error.problem[:9]) for error in caught.value.errors]
    assert problems == [(1, "not JSON "), (2, "not valid"), (4, "not JSON ")]


def test_a_bad_row_does_not_hide_behind_the_label_set(tmp_path):
    rows = [{"text": "", "label": 0}, {"text": "a", "label": 1}]
    with pytest.raises(BadRows, match=r"integer labels are 1(.|\n)*line 1: text is empty"):
        read_file(write_jsonl(tmp_path / "x.jsonl", rows))


def test_invalid_utf8_in_csv_names_its_line(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"text,label\ngood,a\nb\xe9,a\n")
    with pytest.raises(BadRows, match="line 3: text that is not valid Unicode"):
        read_file(path)


def test_bad_json_in_csv_and_bad_parquet_rows_are_named(tmp_path):
    (tmp_path / "x.csv").write_text("tokens,label,rationale\na b,0,0 1\n")
    with pytest.raises(BadRows, match="line 2: rationale is not JSON"):
        read_file(tmp_path / "x.csv")
    rows = [{"tokens": ["a"], "label": 0}, {"tokens": [], "label": 0}]
    with pytest.raises(BadRows, match=r"x\.parquet, line 2: no tokens"):
        read_file(write_parquet(tmp_path / "x.parquet", rows))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.jsonl", b"", "no rows"),
        ("x.csv", b"", "no rows"),
        ("x.csv", b"text,label\n", "no rows"),
        ("x.csv", b"words,label\na,0\n", "the columns are 'words', 'label'; name them"),
        ("x.csv", b"text,text,label\na,b,0\n", "two columns of one name"),
        ("x.jsonl.gz", gzip.compress(b'{"text": "a", "label": 0}\n' * 9)[:-9], "damaged or cut"),
        ("x.jsonl.gz", b"plain", "damaged or cut"),
        ("x.parquet", b"plain", "not a readable Parquet file"),
        ("x.parquet", b"", "not a readable Parquet file"),
        ("x.pkl", b"", "a pickle, which may run any code"),
    ],
)
def test_unusable_files_are_one_error(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read_file(tmp_path / name)


def test_missing_files_and_directories_are_one_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_file(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="this is a directory"):
        read_file(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
def test_real_files_read_with_the_counts_of_their_readme():
    movies = read_file(SHARED / "movies" / "test.jsonl.gz")
    shares = [sum(record.rationale) / len(record.tokens) for record in movies]
    assert (len(movies), max(len(record.tokens) for record in movies)) == (200, 2122)
    assert round(100 * sum(shares) / len(shares), 2) == 30.25
    assert all(record.rationale is None for record in read_file(SHARED / "olid" / "dev.jsonl.gz"))
