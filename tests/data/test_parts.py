"""Pairs of texts and questions with choices in a user's rows."""

import json

import pytest

from n2r_jax.data.check import check_files, render
from n2r_jax.data.files import read_file, scan_file
from n2r_jax.data.records import Record
from n2r_jax.data.rows import RowProblem, parse_row

TOKENS = ("a", "man", "sings", "nobody", "sings")


def row(**fields):
    return parse_row({"label": 1} | fields, 1, "r")


def write(path, *rows):
    path.write_text("".join(json.dumps(fields) + "\n" for fields in rows))
    return path


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "a man sings", "second": "nobody sings"},
        {"tokens": TOKENS[:3], "second_tokens": TOKENS[3:]},
        {"tokens": TOKENS, "segments": [0, 0, 0, 1, 1]},
    ],
)
def test_a_pair_is_one_sequence_of_tokens_and_where_the_second_text_begins(fields):
    assert (row(**fields).tokens, row(**fields).second) == (TOKENS, 3)
    assert row(**fields, rationale=[0, 0, 1, 1, 0]).rationale == (0, 0, 1, 1, 0)
    assert row(**fields, rationale=[0, 0, 1]).rationale == (0, 0, 1, 0, 0), "of the first alone"
    assert row(**fields, spans=[[2, 4]]).rationale == (0, 0, 1, 1, 0)


def test_characters_are_those_of_the_first_text():
    pair = {"text": "a man sings", "second": "nobody sings"}
    assert row(**pair, char_spans=[[2, 5]]).rationale == (0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tokens": ["a"], "second_tokens": []}, "no tokens"),
        ({"tokens": ["a"], "second": " "}, "second is empty"),
        ({"tokens": ["a"], "second": "b", "choices": ["b", "c"]}, "both second and choices"),
        ({"tokens": ["a", "b"], "segments": [1, 0]}, "not some 0 and then some 1"),
        ({"tokens": ["a", "b"], "segments": [0, 0]}, "not some 0 and then some 1"),
        ({"tokens": ["a", "b"], "segments": [1]}, "segments has 1 flags for 2 tokens"),
        ({"text": "a b", "segments": [0, 1]}, "segments without tokens"),
        ({"tokens": ["a"], "choices": ["b"]}, "choices are not a list of answers"),
        ({"tokens": ["a"], "choices": ["b", []]}, "no tokens"),
        ({"tokens": ["a", "b"], "second": "c", "rationale": [1]}, "1 flags for 3 tokens"),
    ],
)
def test_what_makes_no_pair_and_no_question_is_told(fields, told):
    with pytest.raises(RowProblem, match=told):
        row(**fields)


def test_a_question_has_its_choices_and_a_label_for_each(tmp_path):
    rows = [
        {"id": "q1", "text": "where ?", "choices": ["here", ["far", "off"]], "label": 0},
        {"id": "q2", "text": "who ?", "choices": ["me", "you"], "label": 0, "rationale": [1, 0]},
    ]
    source = read_file(write(tmp_path / "q.jsonl", *rows))
    assert source.label_names == ("0", "1"), "though no row's answer is the second"
    choices = (("here",), ("far", "off"))
    assert source[0] == Record("q1", ("where", "?"), 0, None, choices=choices)
    letters = [fields | {"label": "B"} for fields in rows]
    assert read_file(write(tmp_path / "l.jsonl", *letters)).label_names == ("A", "B")


def test_questions_of_other_choices_and_labels_beyond_them_are_bad_rows(tmp_path):
    rows = [
        {"text": "a", "choices": ["b", "c"], "label": 1},
        {"text": "a", "choices": ["b", "c", "d"], "label": 1},
        {"text": "a", "label": 1},
        {"text": "a", "choices": ["b", "c"], "label": 2},
    ]
    told = [str(error) for error in scan_file(write(tmp_path / "q.jsonl", *rows)).errors]
    assert "line 2: 3 choices, line 1 has 2" in told[0]
    assert "line 3: no choices, line 1 has 2" in told[1]
    assert "line 4: label 2 is not in the label set" in told[2]


def test_the_same_rows_come_from_csv(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text('text,label,choices\na b,1,"[""c"", ""d e""]"\n')
    assert read_file(path)[0].choices == (("c",), ("d", "e"))
    path.write_text("tokens,label,second_tokens\na b,x,c d\n")
    assert read_file(path)[0] == Record("q-2", ("a", "b", "c", "d"), 0, None, second=2)


def test_check_counts_pairs_and_choices_and_tells_questions_apart(tmp_path):
    pairs = write(tmp_path / "p.jsonl", {"text": "a", "second": "b", "label": 0})
    rows = [{"text": "a", "choices": ["b", other], "label": 0} for other in "cd"]
    questions = write(tmp_path / "q.jsonl", *rows)
    for path, counts, told in (
        (pairs, (1, 0, 0), "pairs       1 (100.0%)"),
        (questions, (0, 2, 0), "choices     2 answers to each question"),
    ):
        report = check_files([path])
        assert [(f.pairs, f.choices, f.duplicates) for f in report.files] == [counts]
        assert told in render(report)
