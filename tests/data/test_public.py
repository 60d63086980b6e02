"""UNIREX's data sets from files as their makers hand them out, written small."""

import json

import numpy as np
import pytest

from n2r_jax.data.polarity import Sampling, stratified
from n2r_jax.data.public import read_public
from n2r_jax.data.records import Record
from n2r_jax.data.sources import open_split
from n2r_jax.errors import BadRows, DataError, UserError
from tests import tiny


def write(folder, **files):
    for name, content in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(content)
    return folder


@pytest.mark.parametrize("as_lines", [False, True])
def test_sst_marks_from_a_half_on_and_mends_a_list_that_is_one_short(tmp_path, as_lines):
    items = [
        {"text": "a  fine film", "rationale": [0.49, 0.5, 1], "classification": 1},
        {"text": "so dull", "rationale": [0.2], "classification": "neg"},
    ]
    lines = "\n".join(map(json.dumps, items))
    write(tmp_path, dev_json=lines if as_lines else json.dumps(items))
    source = read_public("sst", tmp_path, "dev")
    assert source[0] == Record("sst-dev-1", ("a", "fine", "film"), 1, (0, 1, 1))
    assert source[1].rationale == (0, 0) and source.label_names == ("neg", "pos")


def test_stormfront_has_three_columns(tmp_path):
    write(tmp_path, test_tsv="x\tnothing here.\t0\ny\tbad, this\t1\n")
    source = read_public("stormfront", tmp_path, "test")
    assert [record.label for record in source] == [0, 1]
    assert source[0].tokens == ("nothing", "here", ".") and source[0].rationale is None
    write(tmp_path, test_tsv="x\tfine\t0\nonly text\n")
    with pytest.raises(BadRows, match=r"test\.tsv, line 2: not three columns"):
        read_public("stormfront", tmp_path, "test")


def test_tweets_stand_line_by_line_with_their_labels(tmp_path):
    write(tmp_path, val_text_txt="so @user\nwell\n", val_labels_txt="1\n0\n")
    source = read_public("tweet_eval", tmp_path, "dev", ("not_irony", "irony"))
    assert [source.label_names[r.label] for r in source] == ["irony", "not_irony"]
    write(tmp_path, val_labels_txt="1\n")
    with pytest.raises(DataError, match="2 tweets and 1 labels"):
        read_public("tweet_eval", tmp_path, "dev")


def test_hatexplain_takes_the_majoritys_label_and_the_union_of_marks(tmp_path):
    def post(labels, rationales):
        annotators = [{"label": label} for label in labels]
        return {"post_tokens": ["a", "b"], "annotators": annotators, "rationales": rationales}

    posts = {
        "p": post(["hatespeech", "normal", "hatespeech"], [[0, 1], [0, 0]]),
        "q": post(["normal", "normal", "offensive"], [[1, 0]]),
        "r": post(["normal", "hatespeech", "offensive"], []),
    }
    divisions = {"train": ["p", "q"], "val": ["r"], "test": ["s"]}
    write(tmp_path, dataset_json=json.dumps(posts), post_id_divisions_json=json.dumps(divisions))
    source = read_public("hatexplain", tmp_path, "train")
    assert source[0] == Record("p", ("a", "b"), 2, (0, 1))
    assert source[1].rationale is None, "nobody is asked for marks of a normal post"
    for split, told in (("dev", "'r' has no majority label"), ("test", "'s' is missing")):
        with pytest.raises(BadRows, match=told):
            read_public("hatexplain", tmp_path, split)


@pytest.fixture
def reviews(tmp_path):
    """20 reviews, 5 of them positive, and Amazon's titles."""
    rows = [f'"{2 if i % 4 == 0 else 1}","title {i}","good\\n ""old"" {i}"' for i in range(20)]
    return write(tmp_path, train_csv="\n".join(rows), test_csv="1,only a title,\n2,a,b\n")


def test_polarity_is_drawn_by_label_or_taken_from_the_head(reviews):
    def read(split, way, seed=0):
        return read_public("polarity", reviews, split, None, Sampling((8, 4, 2), way, seed))

    head = [read(split, "head") for split in ("train", "dev")]
    assert [r.tokens[1] for r in head[0]] == list("01234567")
    assert [r.tokens[1] for r in head[1]] == ["8", "9", "10", "11"]
    tokens = ("title", "0", "good", '"', "old", '"', "0")
    assert (head[0][0].tokens, head[0][0].second) == (tokens, 2), "a title is the first text"
    drawn = [read(split, "stratified") for split in ("train", "dev")]
    assert [[r.label for r in source].count(1) for source in drawn] == [2, 1]
    names = [r.id for source in drawn for r in source]
    assert len(set(names)) == 12, "dev is drawn from what train left"
    assert [r.id for r in read("train", "stratified")] == [r.id for r in drawn[0]]
    assert [r.id for r in read("train", "stratified", 1)] != [r.id for r in drawn[0]]
    alone = read("test", "head")[0]
    assert (alone.tokens, alone.second) == (("only", "a", "title"), 0)
    with pytest.raises(UserError, match="asks for 25 reviews of a file that has 20"):
        read_public("polarity", reviews, "dev", None, Sampling((20, 5, 2)))


def test_a_stratified_sample_has_the_labels_shares_and_every_size():
    labels = np.array([0] * 61 + [1] * 30 + [2] * 9)
    for size in (1, 10, 33, 99, 100):
        (sample,) = stratified(labels, [size], seed=0)
        counts = np.bincount(labels[sample], minlength=3)
        assert (
            len(sample) == size and (np.abs(counts - size * np.array([61, 30, 9]) / 100) < 1).all()
        )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "stormfront"}, "no dev data; say which"),
        ({"name": "stormfront", "train": "nowhere"}, "no such directory"),
        ({"name": "sst", "train": "."}, r"no dev split: there is no dev\.json"),
        ({"name": "eraser", "train": "."}, "no dev split: there is no val.jsonl; the directory's"),
        ({"name": "polarity", "train": ".", "sizes": (0, 1, 1)}, "say how many reviews"),
        ({"name": "polarity", "train": ".", "sizes": (1,) * 3, "polarity_sampling": "x"}, "one of"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(tmp_path, changes, told):
    (tmp_path / "docs").mkdir()
    if changes.get("train") == ".":
        changes = changes | {"train": str(tmp_path)}
    config = tiny.config(**{f"data__{name}": value for name, value in changes.items()})
    with pytest.raises(UserError, match=told):
        open_split(config.data, "dev")
