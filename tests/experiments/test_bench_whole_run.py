"""The whole-run benchmark launches what a user launches, on texts that tell their labels."""

import json

import pytest

from experiments import bench_whole_run


def test_texts_have_their_labels_words(tmp_path):
    bench_whole_run.write_texts(tmp_path / "train.jsonl", 20, seed=1)
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == [0, 1] * 10
    telling = bench_whole_run.TELLING
    words = [{int(token[1:]) // telling for token in row["tokens"]} for row in rows]
    assert not any(1 - label in own for own, label in zip(words, [0, 1] * 10, strict=True))
    assert sum(label in own for own, label in zip(words, [0, 1] * 10, strict=True)) > 15
    assert min(len(row["tokens"]) for row in rows) >= 20


def test_the_device_is_what_the_run_said():
    told = "n2r (release), seeds 1, 2, on 1 x NVIDIA H200\ntrain 10 of 10 texts"
    assert bench_whole_run.device_name(told) == "NVIDIA H200"
    assert bench_whole_run.device_name("n2r (release), seed 1, on 2 x cpu\n") == ""


@pytest.mark.slow
def test_a_small_whole_run_is_measured(tmp_path):
    out = tmp_path / "whole.json"
    small = ["--texts", "64", "--epochs", "1", "--seeds", "1", "2", "--out", str(out)]
    assert bench_whole_run.main(small) == 0
    found = json.loads(out.read_text())
    assert 0 < found["first_step_s"] < found["whole_run_s"]
    assert found["epoch_of_all_seeds_s"] > 0 and found["seeds"] == [1, 2]
