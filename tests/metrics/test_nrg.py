"""Normalized relative gain: a table worked out by hand, and UNIREX's printed ones."""

import csv
import pathlib

import numpy as np
import pytest

from n2r_jax.errors import UserError
from n2r_jax.metrics.nrg import NrgWeights, RawScores, min_max, nrg

PRINTED = pathlib.Path(__file__).parents[2].parent / "shared" / "tables"
SMALL = {
    "first": RawScores(0.1, 0.4, 50, 20, 90),
    "second": RawScores(0.3, 0.2, 40, 60, 94),
    "third": RawScores(0.5, 0.3, 60, 50, 92),
}


def test_a_small_table():
    found = nrg(SMALL)
    np.testing.assert_allclose(found["first"], [0, 0.25, 0, 0.25 / 3])
    np.testing.assert_allclose(found["second"], [0.75, 0.5, 1, 0.75])
    np.testing.assert_allclose(found["third"], [0.75, 0.875, 0.5, 2.125 / 3])


def test_weights_count_relative_to_their_sum():
    found = nrg(SMALL, NrgWeights(faithfulness=2, plausibility=1, task=1))
    assert found["second"].composite == pytest.approx((2 * 0.75 + 0.5 + 1) / 4)
    assert found["second"].faithfulness == 0.75
    only = nrg(SMALL, NrgWeights(0, 0, 3))
    assert only["third"].composite == only["third"].task


def test_equal_scores_gain_nothing():
    np.testing.assert_array_equal(min_max(np.full(3, 7.0)), [0, 0, 0])
    np.testing.assert_array_equal(min_max(np.array([1.0, 3, 2]), lower_is_better=True), [1, 0, 0.5])
    assert nrg({"alone": SMALL["first"]})["alone"] == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("methods", "weights", "message"),
    [
        ({}, NrgWeights(), "no method"),
        ({"a": SMALL["first"]._replace(auprc=float("nan"))}, NrgWeights(), "auprc of method a"),
        (SMALL, NrgWeights(0, 0, 0), "weights"),
        (SMALL, NrgWeights(1, -1, 1), "weights"),
        (SMALL, NrgWeights(float("nan"), 1, 1), "weights"),
    ],
)
def test_bad_input_is_one_clear_line(methods, weights, message):
    with pytest.raises(UserError, match=message):
        nrg(methods, weights)


def read(name):
    with open(PRINTED / name, newline="") as file:
        return list(csv.DictReader(file))


def test_the_usable_cells_of_the_printed_tables():
    if not (PRINTED / "unirex_nrg_check.csv").exists():
        pytest.skip("the printed tables are not here (../shared/tables)")
    raw = ("comp_mean", "suff_mean", "auprc_mean", "tf1_mean", "perf_mean")
    tables = {
        table: nrg(
            {
                row["method_id"]: RawScores(*(float(row[column]) for column in raw))
                for row in read(f"unirex_table{table}.csv")
            }
        )
        for table in ("6", "7", "8", "9", "10")
    }
    parts = {"fnrg": "faithfulness", "pnrg": "plausibility", "tnrg": "task", "cnrg": "composite"}
    cells = [
        row
        for row in read("unirex_nrg_check.csv")
        if row["quantity"] in parts and row["status"] != "MISMATCH"
    ]
    assert len(cells) == 308
    for cell in cells:
        ours = getattr(tables[cell["table"]][cell["method_id"]], parts[cell["quantity"]])
        assert abs(ours - float(cell["published"])) <= 5e-4 + 1e-9, cell
