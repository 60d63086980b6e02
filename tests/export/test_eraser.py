"""ERASER's files: our reader and our scorer read them back, traps are stepped round."""

import dataclasses
import json

import pytest

from n2r_jax.data.eraser import read_eraser
from n2r_jax.errors import DataError, UserError
from n2r_jax.export import eraser
from n2r_jax.score.eraser import score_eraser
from tests.export.made import ODD, predicted, target

P = (0.8, 0.5, 0.9)
ROWS = [
    predicted(
        "none/1", ("dull", "film"), (0, 0), label="neg", gold=(0, 1), faithful=(0.2, 0.5, 0.4)
    ),
    predicted("../odd", ODD, faithful=P, gold=(1, 1, *[0] * 9, 1)),
    predicted("empty", ("so", "so"), (0, 0), label="neg", gold=(0, 0), faithful=(0.0, 0.5, 0.4)),
    predicted("whole", ("fine", "room"), (1, 1), gold=(1, 0), faithful=P, truth="so & so"),
]


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def spans(entry):
    return [(s["start_token"], s["end_token"]) for s in entry["hard_rationale_predictions"]]


def test_a_directory_is_read_back_by_our_reader(tmp_path):
    """Every text, label and human rationale; tokens keep their number, whatever they hold."""
    notes = eraser.write(iter(ROWS), target(tmp_path / "e"))
    found = read_eraser(tmp_path / "e", "test", ("neg", "so & so"))
    assert [r.id for r in found] == [row.given.id for row in ROWS]
    for record, row in zip(found, ROWS, strict=True):
        assert found.label_names[record.label] == row.given.label
        assert record.rationale == row.given.rationale
        assert len(record.tokens) == len(row.given.tokens)
    assert found[1].tokens[:5] == ("a_b", "x_y", "_", "naïve", "#")
    assert any("5 tokens hold white space" in note for note in notes)
    assert sorted(p.name for p in tmp_path.rglob("*")) == [
        "docs.jsonl",
        "e",
        "predictions.jsonl",
        "test.jsonl",
    ]


def test_predictions_hold_what_the_run_said(tmp_path):
    eraser.write(ROWS, target(tmp_path / "e"))
    found = {row["annotation_id"]: row for row in lines(tmp_path / "e" / "predictions.jsonl")}
    assert len(found) == len(ROWS)
    for row in ROWS:
        (entry,) = found[row.given.id]["rationales"]
        assert entry["docid"] == row.given.id and tuple(spans(entry)) == row.spans
        assert tuple(entry["soft_rationale_predictions"]) == row.scores
        assert found[row.given.id]["classification"] == row.label
    kinds = ("classification", "comprehensiveness_classification", "sufficiency_classification")
    for kind, p in zip(kinds, P, strict=True):
        assert found["whole"][f"{kind}_scores"] == pytest.approx({"neg": 1 - p, "so & so": p})
    impossible = found["empty"]["classification_scores"]
    assert 0 < impossible["so & so"] < 1e-9 and sum(impossible.values()) == pytest.approx(1)


def test_our_scorer_reads_it_and_finds_what_was_predicted(tmp_path):
    notes = eraser.write(ROWS, target(tmp_path / "e"))
    assert notes[-1] == (
        f"score it: n2r score eraser --data_dir {tmp_path / 'e'} "
        f"--predictions {tmp_path / 'e' / 'predictions.jsonl'} --out scores.json"
    )
    scores, warnings = score_eraser(tmp_path / "e", tmp_path / "e" / "predictions.jsonl")
    # Of 16 tokens 2 + 4 are selected, 1 + 3 + 1 are gold, 1 + 1 both (odd: 1, 4, 7, 10; 0, 1, 11).
    assert scores["token_prf"]["instance_micro"] == pytest.approx(
        {"p": 2 / 6, "r": 2 / 5, "f1": 4 / 11}
    )
    classes = scores["classification_scores"]
    # p(so & so) whole, without, only: twice P of "so & so"; of "neg" 0.8, 0.5, 0.6; 1, 0.5, 0.6.
    assert classes["comprehensiveness"] == pytest.approx((0.3 + 0.3 + 0.3 + 0.5) / 4)
    assert classes["sufficiency"] == pytest.approx((-0.1 - 0.1 + 0.2 + 0.4) / 4)
    assert classes["comprehensiveness_kl"] < 100 and classes["accuracy"] == 0.75
    assert len(warnings) == 1 and "a document without gold" in warnings[0]  # the row "empty"
    told = "of the class predicted from the rationale: comprehensiveness 0.3500, sufficiency 0.1000"
    assert told in notes


@pytest.mark.parametrize("memory", [1, 2**20])
def test_the_first_row_selects_something(tmp_path, monkeypatch, memory):
    """Rows before it wait, in memory or on the disk, and follow in their order."""
    monkeypatch.setattr(eraser, "IN_MEMORY", memory)
    eraser.write(ROWS, target(tmp_path / "e"))
    names = [row["annotation_id"] for row in lines(tmp_path / "e" / "predictions.jsonl")]
    assert names == ["../odd", "none/1", "empty", "whole"]
    assert lines(tmp_path / "e" / "test.jsonl")[0]["annotation_id"] == "none/1"


def test_no_selection_at_all_and_no_human_rationale_are_told(tmp_path):
    rows = [predicted("a", ("x", "y"), (0, 0), gold=None, faithful=P), ROWS[2]]
    notes = eraser.write(rows, target(tmp_path / "e", split="dev"))
    assert any("no row selects any token" in note for note in notes)
    assert any("1 of 2 rows have no human rationale" in note for note in notes)
    assert any("'so & so' is predicted, but no row's label" in note for note in notes)
    assert [row["evidences"] for row in lines(tmp_path / "e" / "val.jsonl")] == [[], []]


def test_thresholds_become_aopc(tmp_path):
    at = {0.1: ({"neg": 0.4, "so & so": 0.6}, {"neg": 0.7, "so & so": 0.3})}
    rows = [
        dataclasses.replace(row, faithfulness=dataclasses.replace(row.faithfulness, at=at))
        for row in (ROWS[1], ROWS[3])
    ]
    eraser.write(rows, target(tmp_path / "e"))
    path = tmp_path / "e" / "predictions.jsonl"
    scores, _ = score_eraser(tmp_path / "e", path, aopc_thresholds=(0.1,))
    found = scores["classification_scores"]
    assert found["comprehensiveness_aopc"] == pytest.approx(0.2)
    assert found["sufficiency_aopc"] == pytest.approx(0.5)


def test_predictions_for_an_eraser_directory_keep_its_documents(tmp_path):
    """Two documents, tokens split among them; the one that is selected from stands first."""
    row = predicted(
        "q1",
        ("a", "b", "c", "d", "e"),
        (0, 0, 1, 1, 0),
        faithful=P,
        documents=(("first", 2), ("second", 3)),
    )
    directory = tmp_path / "data"
    notes = eraser.write([row], target(tmp_path / "p.jsonl", data_dir=directory, split="val"))
    (found,) = lines(tmp_path / "p.jsonl")
    assert [(e["docid"], spans(e)) for e in found["rationales"]] == [
        ("second", [(0, 2)]),
        ("first", []),
    ]
    assert [len(e["soft_rationale_predictions"]) for e in found["rationales"]] == [3, 2]
    assert f"--data_dir {directory} " in notes[-1] and "--split val" in notes[-1]
    eraser.write([row], target(tmp_path / "out", data_dir=directory))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["predictions.jsonl"]
    with pytest.raises(UserError, match="exists already"):
        eraser.write([row], target(tmp_path / "out", data_dir=directory))


def test_what_is_there_stays_unless_told(tmp_path):
    folder = tmp_path / "e"
    eraser.write(ROWS, target(folder))
    (folder / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="exists already; name another --out, or add --overwrite"):
        eraser.write(ROWS[:2], target(folder))
    assert len(lines(folder / "predictions.jsonl")) == 4
    eraser.write(ROWS[:2], target(folder, overwrite=True))
    assert len(lines(folder / "predictions.jsonl")) == len(lines(folder / "docs.jsonl")) == 2
    assert (folder / "mine.txt").read_text() == "kept" and len(list(tmp_path.iterdir())) == 1
    (folder / "docs").mkdir()
    with pytest.raises(UserError, match="has docs/ already"):
        eraser.write(ROWS, target(folder, overwrite=True))
    with pytest.raises(UserError, match="need documents and gold beside it; name a directory"):
        eraser.write(ROWS, target(tmp_path / "p.jsonl"))


def test_a_failure_half_way_leaves_nothing(tmp_path):
    def failing():
        yield from ROWS[:3]
        raise UserError("row 4 is bad")

    for place in (target(tmp_path / "e"), target(tmp_path / "p.jsonl", data_dir=tmp_path)):
        with pytest.raises(UserError, match="row 4 is bad"):
            eraser.write(failing(), place)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        eraser.write(ROWS, target(tmp_path / "file" / "e"))
