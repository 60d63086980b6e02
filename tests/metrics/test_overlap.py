"""Overlap: against scikit-learn and ERASER's scorer, and the laws a count must obey."""

import json
import pathlib

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, precision_recall_fscore_support

from n2r_jax.metrics.overlap import (
    OverlapCounts,
    gold_rate,
    instance_mean,
    iou,
    micro,
    prf,
    sparsity,
)

ERASER = pathlib.Path(__file__).parents[3] / "shared" / "golden" / "eraser"


def masks(seed=0, inputs=30, units=20):
    """Random mask and gold of ragged inputs; what stands at padding is random too."""
    rng = np.random.default_rng(seed)
    valid = np.arange(units) < rng.integers(3, units + 1, size=(inputs, 1))
    mask, gold = rng.random((2, inputs, units)) < np.array([0.3, 0.2])[:, None, None]
    gold[:, 0] = True
    return mask, gold, valid


def test_scores_are_those_of_scikit_learn():
    mask, gold, valid = masks()
    counts = OverlapCounts.from_masks(mask, gold, valid)
    expected = precision_recall_fscore_support(gold[valid], mask[valid], average="binary")
    np.testing.assert_allclose(micro(counts), expected[:3])
    rows = [
        precision_recall_fscore_support(g[v], m[v], average="binary", zero_division=0)[:3]
        for m, g, v in zip(mask, gold, valid, strict=True)
    ]
    np.testing.assert_allclose(instance_mean(counts), np.mean(rows, axis=0))
    ious = [jaccard_score(g[v], m[v]) for m, g, v in zip(mask, gold, valid, strict=True)]
    np.testing.assert_allclose(iou(counts), ious)
    assert sparsity(counts) == pytest.approx(mask[valid].mean())
    assert gold_rate(counts) == pytest.approx(gold[valid].mean())


def test_micro_and_instance_mean_differ_where_lengths_differ():
    counts = OverlapCounts(*np.array([[1, 1, 1, 2], [9, 9, 0, 90]]).T)
    assert micro(counts).f1 == pytest.approx(0.1)
    assert instance_mean(counts).f1 == pytest.approx(0.5)


def test_padding_never_changes_a_count():
    mask, gold, valid = masks()
    counts = OverlapCounts.from_masks(mask, gold, valid)
    longer = [np.pad(x, ((0, 2), (0, 7)), constant_values=c) for x, c in ((mask, 1), (gold, 1))]
    padded = OverlapCounts.from_masks(*longer, np.pad(valid, ((0, 2), (0, 7))))
    np.testing.assert_array_equal(padded.table[:-2], counts.table)
    assert not padded.table[-2:].any()
    np.testing.assert_array_equal(micro(padded), micro(counts))
    np.testing.assert_array_equal(instance_mean(padded), instance_mean(counts))


def test_a_mask_counts_like_a_slice():
    mask, gold, valid = masks()
    counts = OverlapCounts.from_masks(mask, gold, valid)
    for row, (m, g, v) in enumerate(zip(mask, gold, valid, strict=True)):
        alone = OverlapCounts.from_masks(m[None, v], g[None, v], np.ones((1, v.sum())))
        np.testing.assert_array_equal(alone.table[0], counts.table[row])


def test_merge_commutes_up_to_order_and_undoes_take():
    parts = [OverlapCounts.from_masks(*masks(seed, inputs=10 + seed)) for seed in range(3)]
    there, back = OverlapCounts.merge(parts), OverlapCounts.merge(parts[::-1])
    assert len(there) == 33
    assert micro(there) == micro(back)
    np.testing.assert_allclose(instance_mean(there), instance_mean(back))
    np.testing.assert_array_equal(there.take(np.arange(10)).table, parts[0].table)
    chosen = there.gold > 3
    assert len(there.take(chosen)) == chosen.sum()
    assert len(OverlapCounts.merge([])) == 0


def test_undefined_scores_are_0():
    assert prf(0, 5, 0) == (0, 0, 0)
    assert prf(5, 0, 0) == (0, 0, 0)
    nothing = OverlapCounts.merge([])
    assert micro(nothing).f1 == instance_mean(nothing).f1 == sparsity(nothing) == 0


def test_inputs_without_gold_and_selection_leave_the_instance_mean():
    counts = OverlapCounts(*np.array([[2, 2, 2, 5], [0, 0, 0, 5], [1, 0, 0, 5]]).T)
    assert instance_mean(counts).f1 == pytest.approx(1 / 2)


def test_a_mask_of_other_than_0_and_1_is_refused():
    soft, ones = np.full((2, 3), 0.5), np.ones((2, 3))
    with pytest.raises(ValueError, match="mask"):
        OverlapCounts.from_masks(soft, ones, ones)
    with pytest.raises(ValueError, match="gold"):
        OverlapCounts.from_masks(ones, ones[0], ones)


@pytest.fixture
def eraser():
    if not ERASER.is_dir():
        pytest.skip("no recorded run of ERASER's scorer beside this checkout")
    gold = [json.loads(line) for line in (ERASER / "test.jsonl").read_text().splitlines()]
    rows = (ERASER / "predictions.jsonl").read_text().splitlines()
    predictions = {row["annotation_id"]: row["rationales"][0] for row in map(json.loads, rows)}
    inputs = []
    for row in gold:
        guess = predictions[row["annotation_id"]]
        scores = np.array(guess["soft_rationale_predictions"])
        evidence = [span for group in row["evidences"] for span in group]
        both = [np.zeros(len(scores), bool), np.zeros(len(scores), bool)]
        for flags, spans in zip(both, (guess["hard_rationale_predictions"], evidence), strict=True):
            for span in spans:
                flags[span["start_token"] : span["end_token"]] = True
        inputs.append((*both, np.ones(len(scores), bool), scores))
    longest = max(len(row[-1]) for row in inputs)
    padded = [[np.pad(x, (0, longest - len(x))) for x in row] for row in inputs]
    return [np.array(column) for column in zip(*padded, strict=True)]


def test_token_prf_is_that_of_erasers_scorer(eraser):
    official = json.loads((ERASER / "official_scores.json").read_text())["token_prf"]
    counts = OverlapCounts.from_masks(*eraser[:3])
    for scores, name in (
        (micro(counts), "instance_micro"),
        (instance_mean(counts), "instance_macro"),
    ):
        expected = [official[name][key] for key in ("p", "r", "f1")]
        np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_token_areas_are_those_of_erasers_scorer(eraser):
    from n2r_jax.metrics.ranking import instance_area

    official = json.loads((ERASER / "official_scores.json").read_text())["token_soft_metrics"]
    _, gold, valid, scores = eraser
    for area in ("auprc", "average_precision"):
        measured = instance_area(scores, gold, valid, area).mean()
        assert measured == pytest.approx(official[area], rel=1e-12)
