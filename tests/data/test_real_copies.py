"""The copies of UNIREX's data sets that lie beside the repository, where they do."""

import gzip
import json
import pathlib

import numpy as np
import pytest

from n2r_jax.data.eraser import Reading, read_eraser
from n2r_jax.data.files import read_file
from n2r_jax.data.gold import choose_gold, gold_count
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.explain import runs
from n2r_jax.inputs import WordInputs

COPIES = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
NOTHING = WordInputs(Vocabulary(()), np.zeros((1, 1), np.float32))


def read(name):
    path = COPIES / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the copy is not here (../shared/data/{name}.jsonl.gz)")
    return read_file(path)


@pytest.mark.parametrize(
    ("name", "texts", "labels"),
    [
        ("sst/test", 1821, [912, 909]),
        ("stormfront/test", 478, [239, 239]),
        ("olid/test", 860, [620, 240]),
        ("irony/test", 784, [473, 311]),
        ("hatexplain/test", 998, [404, 284, 310]),
        ("amazon_small/test", 2488, [1244, 1244]),
        ("yelp_sentences/test", 1000, [500, 500]),
    ],
)
def test_texts_and_labels_are_as_many_as_their_readme_says(name, texts, labels):
    source = read(name)
    assert len(source) == texts
    assert np.bincount([record.label for record in source]).tolist() == labels


def test_cose_is_questions_whose_rationale_every_row_has():
    source = read("cose/test")
    texts = NOTHING.encode(source, max_length=77, too_long="error", name="cose")
    assert (texts.choices, texts.questions, len(texts)) == (5, 1079, 5395)
    of_rows = np.add.reduceat(texts.rationales.astype(int), texts.starts[:-1]).reshape(-1, 5)
    of_questions = [sum(record.rationale) for record in source]
    np.testing.assert_array_equal(of_rows, np.repeat(np.array(of_questions)[:, None], 5, axis=1))


@pytest.mark.parametrize(("name", "pairs"), [("multirc/dev", 669), ("esnli/test_highlights", 100)])
def test_pairs_are_told_by_their_segments(name, pairs):
    source = read(name)
    assert sum(record.second > 0 for record in source) == len(source) == pairs


def test_few_gold_rationales_of_sst_are_as_many_as_in_figure_7():
    source = read("sst/train")
    texts = NOTHING.encode(source, max_length=67, too_long="error", name="sst")
    for percent, count in ((0.5, 35), (1, 70), (5, 346), (10, 692), (20, 1384)):
        assert len(choose_gold(texts, np.arange(len(texts)), percent, seed=0)) == count
    assert gold_count(20, 8752) == 1751


def test_the_authors_alignment_of_movies_marks_other_words(tmp_path):
    """By words, hardly a twentieth of the test split's marks is where the annotators put it."""
    read("movies/test")
    write_movies(tmp_path)
    right, authors = (
        np.concatenate([r.rationale for r in read_eraser(tmp_path, "test", reading=reading)])
        for reading in (Reading(), Reading(movies_alignment="authors"))
    )
    assert right.sum() > 40_000 and (right & authors).sum() / right.sum() < 0.1
    assert authors.sum() < right.sum() / 5


def write_movies(folder):
    """The copy's test split as an ERASER directory: lines and spans are known of it."""
    (folder / "docs").mkdir()
    rows = []
    with gzip.open(COPIES / "movies" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            name, ends = row["id"], np.cumsum(row["sentence_lengths"])
            lines = [" ".join(part) for part in np.split(np.array(row["tokens"], object), ends)]
            (folder / "docs" / name).write_text("\n".join(lines), encoding="utf-8")
            spans = [
                [{"docid": name, "start_token": start, "end_token": end}]
                for start, end in runs(row["rationale"])
            ]
            label = {"annotation_id": name, "classification": str(row["label"])}
            rows.append(label | {"evidences": spans, "query": "?"})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "test.jsonl").write_text(text, encoding="utf-8")
