"""The benchmark of long texts runs to its end, and times both ways only where they differ."""

import json

import pytest

from experiments import bench_long_texts
from experiments.bench_long_texts import FULL, SPARSE, Row


@pytest.mark.slow
def test_the_smoke_run_writes_every_length(tmp_path):
    out = tmp_path / "long.json"
    assert bench_long_texts.main(["--smoke", "--layers", "1", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["pieces"], row["action"]) for row in rows] == [
        (24, "forward"),
        (24, "train"),
        (64, "forward"),
        (64, "train"),
    ]
    for row in rows:
        kinds = {FULL} if row["pieces"] == 24 else {FULL, SPARSE}
        assert set(row["bytes"]) == set(row["seconds"]) == kinds
        assert all(len(seconds) == 2 for seconds in row["seconds"].values())
        assert all(planned > 0 for planned in row["bytes"].values())


def test_ratios_say_how_many_times_as_good_sparse_is():
    row = Row(99, "train", {FULL: 30_000_000, SPARSE: 10_000_000}, {FULL: [4.0], SPARSE: [2.0]})
    assert bench_long_texts.memory_cells(row) == ("30.0", "10.0", "3.0")
    assert bench_long_texts.time_cells(row) == ("4.000", "2.000", "2.0")
    short = Row(9, "train", {FULL: 1_000_000}, {FULL: [4.0]})
    assert bench_long_texts.memory_cells(short) == ("1.0", "as full", "")
    assert bench_long_texts.time_cells(short) == ("4.000", "as full", "")
