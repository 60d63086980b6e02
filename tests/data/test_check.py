"""The report behind `n2r data check`."""

import json
from pathlib import Path

import pytest

from n2r_jax.data.check import check_files, render, run

SHARED = Path(__file__).parents[3] / "shared" / "data"


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    )
    return path


def row(text, label=0, **fields):
    return {"text": text, "label": label, **fields}


def test_counts_of_one_file(tmp_path):
    rows = [
        row("a b c d", 0, rationale=[1, 0, 0, 0]),
        row("a b", 1, rationale=[0, 0]),
        row("A B", 1),
        row("x " * 10, 1, rationale=[1] * 10),
    ]
    (file,) = check_files([write(tmp_path / "x.jsonl", *rows)]).files
    assert (file.texts, file.labels, file.duplicates) == (4, {"0": 1, "1": 3}, 1)
    assert (file.marked, round(file.gold_share, 3)) == (3, round((0.25 + 0 + 1) / 3, 3))
    assert (file.lengths[2], file.lengths[-1]) == (3, 10)


def test_shared_texts_are_found_across_case_and_tokens(tmp_path, capsys):
    train = write(tmp_path / "train.jsonl", row("Don't go"), row("only here", 1))
    test = write(tmp_path / "test.jsonl", {"tokens": ["don't", "go"], "label": 1})
    report = check_files([train, test])
    assert report.shared == {(str(train), str(test)): 1}
    assert (run([train, test]), run([train, test], allow_shared=True)) == (1, 0)
    assert f"{train} and {test} share 1 text\n" in capsys.readouterr().out


def test_bad_rows_are_listed_one_a_line_beside_the_good_ones(tmp_path, capsys):
    rows = [row("fine"), *(["{"] * 25), row("fine too", 1)]
    path = write(tmp_path / "x.jsonl", *rows)
    assert run([path, tmp_path / "missing.csv"]) == 2
    out = capsys.readouterr().out
    assert f"{path}: 2 texts\n" in out and "\n26 errors:\n" in out
    assert [f"{path}, line {n}: not JSON" in out for n in range(1, 28)] == [False] + [True] * 25 + [
        False
    ]
    assert f"{tmp_path / 'missing.csv'}: no such file; check the path" in out


def test_files_are_read_as_one_label_set(tmp_path):
    train = write(tmp_path / "train.jsonl", row("a"), row("b", 1))
    test = write(tmp_path / "test.jsonl", row("c", 1))
    assert run([train, test]) == 0
    assert check_files([train, test]).files[1].labels == {"1": 1}
    assert run([test]) == 2


def test_all_splits_of_an_eraser_directory_are_checked(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / "docs" / name, "same text")
    for split, name in (("train", "one"), ("test", "two")):
        fields = {"annotation_id": name, "classification": "POS", "evidences": []}
        write(tmp_path / f"{split}.jsonl", fields)
    report = check_files([tmp_path])
    assert [file.texts for file in report.files] == [1, 1]
    assert list(report.shared.values()) == [1]


def test_empty_files_and_plain_directories_are_errors(tmp_path, capsys):
    assert run([write(tmp_path / "x.jsonl"), tmp_path]) == 2
    out = capsys.readouterr().out
    assert "x.jsonl: no rows" in out and "this is a directory, not a file" in out


def test_one_file_says_nothing_about_sharing(tmp_path):
    text = render(check_files([write(tmp_path / "x.jsonl", row("a b", rationale=[1, 0]))]))
    assert text.splitlines()[1:] == [
        "  labels      0 1 (100.0%)",
        "  tokens      5% 2, 25% 2, 50% 2, 75% 2, 95% 2, 99% 2, max 2",
        "  rationales  1 (100.0%), mean 50.0% of their tokens",
        "  duplicates  0",
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
def test_real_files_share_no_reviews(capsys):
    assert run(sorted((SHARED / "yelp_hat").glob("*.jsonl.gz"))) == 0
    assert "1258 (100.0%), mean 14.5% of their tokens" in capsys.readouterr().out
