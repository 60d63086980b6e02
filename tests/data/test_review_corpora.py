"""Beer and Hotel: small files in exactly the corpora's formats, prepared and read back."""

import gzip
import json
import logging
import pickle

import pytest

from n2r_jax.data.beer import open_beer
from n2r_jax.data.hotel import open_hotel
from n2r_jax.data.paper_counts import compare_with_paper
from n2r_jax.data.records import Record, Source
from n2r_jax.errors import BadRows, DataError, UserError

TRAIN = [
    "0.9 0.4 0.5 0.1 0.2\tpours a dark\u00a0brown , thin head",
    "0.4 0.6 0.5 0.1 0.2\tlooks flat",
    "0.5 0.9 0.5 0.1 0.2\tneither here nor there",
    "0.41 0.9 0.6 0.1 0.2\tjust above",
    "0.6 0.1 0.4 0.1 0.2\tjust enough ",
]
ANNOTATED = [
    {
        "x": ["deep", "gold", "colour"],
        "y": [0.8, 0.5, 1, 0, 0.3],
        "0": [[0, 2]],
        "1": [[2, 3]],
        "2": [[0, 3]],
    },
    {"x": ["smells", "of", "malt"], "y": [0.2, 0.7, 0.5, 0.5, 0.5], "0": [], "1": [[0, 1], [2, 3]]},
    {"x": ["no", "head"], "y": [0.3, 0.7, 0.5, 0.5, 0.5], "0": [[1, 2]], "1": []},
]


def write_beer(folder, train=TRAIN, annotated=ANNOTATED):
    folder.mkdir(exist_ok=True)
    for aspect in range(3):
        for name, lines in {"train": train, "heldout": TRAIN}.items():
            with gzip.open(folder / f"reviews.aspect{aspect}.{name}.txt.gz", "wt") as file:
                file.write("\n".join(lines) + "\n")
    rows = [json.dumps(row) for row in annotated]
    (folder / "annotations.json").write_text("\n".join(rows) + "\n")
    return folder


def write_hotel(folder, annotated=None):
    text = "the room was clean"
    train = [f"task\tlabel\ttext\nhotel\t1\t{text}\nhotel\t0\tdirty towels\nhotel\t1\tspotless\n"]
    annotated = annotated or [f"hotel\t1\t{text}\t0 0 0 1", "hotel\t0\tvery dirty\t0 1 0"]
    (folder / "annotations").mkdir(parents=True)
    (folder / "hotel_Cleanliness.train").write_text(train[0])
    (folder / "hotel_Cleanliness.dev").write_text("task\tlabel\ttext\nhotel\t0\tsmelly\n")
    marked = "\n".join(["task\tlabel\ttext\trationale", *annotated])
    (folder / "annotations" / "hotel_Cleanliness.train").write_text(marked + "\n")
    return folder


def test_beer_labels_by_threshold_and_drops_what_lies_between(tmp_path):
    source = open_beer("appearance", "train", tmp_path / "tfds", write_beer(tmp_path / "beer"))
    assert isinstance(source, Source)
    assert [source[i].label for i in range(len(source))] == [1, 0, 1]
    assert source[0] == Record(
        "train-1", ("pours", "a", "dark\u00a0brown", ",", "thin", "head"), 1, None
    )
    assert source[2].tokens == ("just", "enough")
    assert source.counts["dropped: score between"] == 2
    assert source.label_names == ("negative", "positive")


def test_beer_annotations_without_a_span_are_skipped(tmp_path):
    manual = write_beer(tmp_path / "beer")
    source = open_beer("appearance", "annotated", tmp_path / "tfds", manual)
    assert [source[i] for i in range(len(source))] == [
        Record("annotated-1", ("deep", "gold", "colour"), 1, (1, 1, 0)),
        Record("annotated-3", ("no", "head"), 0, (0, 1)),
    ]
    assert source.counts["dropped: no span"] == 1


def test_every_aspect_reads_its_own_score_and_spans(tmp_path):
    manual = write_beer(tmp_path / "beer")
    aroma = open_beer("aroma", "annotated", tmp_path / "tfds", manual)
    assert [aroma[i].rationale for i in range(len(aroma))] == [(1, 0, 1)]
    assert aroma.counts["dropped: score between"] == 1
    palate = open_beer("palate", "train", tmp_path / "tfds", manual)
    assert [palate[i].label for i in range(len(palate))] == [1, 0]


def test_prepared_data_need_no_manual_files_and_survive_pickling(tmp_path):
    manual = write_beer(tmp_path / "beer")
    first = open_beer("appearance", "dev", tmp_path / "tfds", manual)
    again = pickle.loads(pickle.dumps(open_beer("appearance", "dev", tmp_path / "tfds")))
    assert again.fingerprint == first.fingerprint
    assert again[1] == first[1]
    assert first.fingerprint != open_beer("appearance", "train", tmp_path / "tfds").fingerprint


def test_changed_files_are_prepared_anew(tmp_path, caplog):
    manual = write_beer(tmp_path / "beer")
    before = open_beer("appearance", "train", tmp_path / "tfds", manual)
    write_beer(manual, train=TRAIN[:1])
    with caplog.at_level(logging.WARNING):
        after = open_beer("appearance", "train", tmp_path / "tfds", manual)
    assert (len(before), len(after)) == (3, 1)
    assert after.fingerprint != before.fingerprint
    assert "have changed" in caplog.text
    assert open_beer("appearance", "train", tmp_path / "tfds").fingerprint == after.fingerprint


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match="not prepared yet"):
        open_beer("aroma", "train", tmp_path / "tfds")
    manual = write_beer(tmp_path / "beer")
    (manual / "annotations.json").unlink()
    with pytest.raises(DataError, match=r"annotations\.json: no such file; put your copy"):
        open_beer("aroma", "train", tmp_path / "tfds", manual)
    with pytest.raises(DataError, match=r"hotel_Service\.train: no such file; unpack"):
        open_hotel("service", "train", tmp_path / "tfds", manual)


def test_bad_lines_are_all_named_and_leave_nothing_behind(tmp_path):
    bad = {"x": ["a", "b"], "y": [0.8] * 5, "0": [[1, 3]]}
    manual = write_beer(tmp_path / "beer", [*TRAIN, "0.1 0.2\tshort", "no tab"], [bad])
    with pytest.raises(BadRows) as caught:
        open_beer("appearance", "train", tmp_path / "tfds", manual)
    assert [error.line for error in caught.value.errors] == [6, 7]
    write_beer(manual, annotated=[bad])
    with pytest.raises(BadRows, match=r"annotations\.json, line 1: span \[1, 3\]"):
        open_beer("appearance", "train", tmp_path / "tfds", manual)
    write_beer(manual)
    assert len(open_beer("appearance", "train", tmp_path / "tfds", manual)) == 3


def test_a_file_without_a_usable_line_is_named(tmp_path):
    manual = write_beer(tmp_path / "beer", train=[TRAIN[2]])
    with pytest.raises(DataError, match=r"aspect0\.train\.txt\.gz: no text with a label"):
        open_beer("appearance", "train", tmp_path / "tfds", manual)


def test_a_truncated_file_is_one_error(tmp_path):
    manual = write_beer(tmp_path / "beer")
    path = manual / "reviews.aspect0.train.txt.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="damaged or cut short"):
        open_beer("appearance", "train", tmp_path / "tfds", manual)


def test_hotel_cuts_one_surplus_flag_and_counts_it(tmp_path):
    source = open_hotel("cleanliness", "annotated", tmp_path / "tfds", write_hotel(tmp_path / "h"))
    assert [source[i].rationale for i in range(len(source))] == [(0, 0, 0, 1), (0, 1)]
    assert source.counts["surplus flag cut"] == 1


@pytest.mark.parametrize("flags", ["0 1 1", "0", "0 1 0 0", "0 2"])
def test_hotel_refuses_other_lengths_and_flags(tmp_path, flags):
    manual = write_hotel(tmp_path / "h", [f"hotel\t0\tvery dirty\t{flags}"])
    with pytest.raises(BadRows, match=r"line 2: .*flag"):
        open_hotel("cleanliness", "annotated", tmp_path / "tfds", manual)


def test_hotel_reads_the_archive_layout_too(tmp_path):
    manual = write_hotel(tmp_path / "h")
    (manual / "annotations").rename(manual / "target")
    assert len(open_hotel("cleanliness", "annotated", tmp_path / "tfds", manual)) == 2


def test_comparison_tells_counts_and_leaked_texts(tmp_path, caplog):
    manual = write_hotel(tmp_path / "h")
    splits = {
        split: open_hotel("cleanliness", split, tmp_path / "tfds", manual)
        for split in ("train", "dev", "annotated")
    }
    with caplog.at_level(logging.WARNING):
        told = [str(difference) for difference in compare_with_paper(splits)]
    assert "hotel-cleanliness train (balanced), positive: 1 here, 75049 expected" in told
    where = "hotel-cleanliness train, annotated texts that stand here too"
    assert f"{where}: 1 here, 0 expected" in told
    assert "hotel-cleanliness annotated, gold %: 33.3 here, 8.9 expected" in told
    assert told == caplog.messages


def test_unknown_aspect_and_split_are_refused(tmp_path):
    with pytest.raises(UserError, match="no aspect 'taste', only appearance"):
        open_beer("taste", "train", tmp_path)
    with pytest.raises(UserError, match="no split 'test', only train"):
        open_beer("aroma", "test", tmp_path)
