"""The probes find what is there: on a tiny run, and on predictors that break the rules."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from n2r_jax.data.encoding import EncodedPieces
from n2r_jax.data.records import Record
from n2r_jax.data.reviews import Reviews
from n2r_jax.evaluate import run_on
from n2r_jax.faithful import MaskedOutputs, masked_run
from n2r_jax.inference import TrainedRun
from n2r_jax.metrics.task import cross_entropy
from n2r_jax.probe import padding
from n2r_jax.probe.exclusion import exclusion, replaced
from n2r_jax.probe.gold_share import SHARES, exchanged, gold_share
from n2r_jax.probe.mask_shape import mask_features, mask_only, readable
from n2r_jax.probe.norm import correlations, norm_by_count
from tests import tiny

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def evaluation():
    """Masks are drawn: at arg-max the tiny model selects hardly anything."""
    return run_on(TrainedRun(tiny.trained_run()), sample_seed=5)


@pytest.fixture(scope="module")
def predict(evaluation):
    return masked_run(evaluation.trained)


def leaking(texts, mask):
    """A predictor that looks at the first token, selected or not."""
    p = (texts.ids[texts.starts[:-1]] % 7) / 10
    return MaskedOutputs(np.stack([p, 1 - p], axis=1), mask.sum(1).astype(float))


def of_method(evaluation, **fields):
    method = dataclasses.replace(evaluation.trained.method, **fields)
    return dataclasses.replace(evaluation, trained=SimpleNamespace(method=method))


def test_the_certificate_holds_for_what_sees_the_selection_alone(evaluation, predict):
    found = exclusion(evaluation, predict)
    assert found["applies"] and found["holds"] and found["largest_change"] == 0
    assert found["texts"] == 20 and 0 < found["unselected"] < evaluation.valid.sum()
    assert found["control"]["changed_texts"] > 10


def test_the_certificate_breaks_where_one_unselected_token_is_read(evaluation):
    found = exclusion(evaluation, leaking)
    assert found["holds"] is False and found["changed_texts"] > 0 < found["largest_change"]


def test_a_run_that_selects_nothing_proves_nothing(evaluation, predict):
    outputs = dataclasses.replace(evaluation.outputs, mask=0 * evaluation.outputs.mask)
    bare = dataclasses.replace(evaluation, outputs=outputs)
    found = exclusion(bare, predict)
    assert found["applies"] and found["holds"] is None and found["selected"] == 0
    assert exclusion(bare, leaking)["holds"] is False


def test_unirex_is_told_that_it_does_not_promise_exclusion(evaluation, predict):
    found = exclusion(of_method(evaluation, predicts_from_all=True), predict)
    assert found["applies"] is False and found["holds"] is None and found["changed_texts"] > 0


def test_tokens_outside_the_mask_and_no_others_are_replaced(evaluation):
    keep = evaluation.outputs.mask.astype(bool)
    texts = evaluation.texts
    other = replaced(texts, keep, RNG)
    flat = keep[evaluation.valid]
    np.testing.assert_array_equal(other.ids[flat], texts.ids[flat])
    assert (other.ids != texts.ids)[~flat].mean() > 0.8
    assert set(other.ids.tolist()) <= set(texts.ids.tolist())


def test_pieces_of_such_tokens_are_replaced_and_special_ones_stay(evaluation):
    words = np.array([-1, 0, 0, 1, -1, -1, 0, 1, 1, 2, -1])
    ids = np.array([101, *range(1, 4), 102, 101, *range(4, 8), 102])
    pieces = EncodedPieces(ids.astype(np.int32), words, np.array([0, 5, 11]))
    texts = dataclasses.replace(evaluation.texts, pieces=pieces)
    keep = np.array([[False, True, False], [True, False, False]])
    drawn = [replaced(texts, keep, np.random.default_rng(i)).pieces.ids for i in range(40)]
    changed = (np.array(drawn) != ids).any(0)
    np.testing.assert_array_equal(np.flatnonzero(changed), [1, 2, 7, 8, 9])
    assert np.max(drawn) == 102 and 102 not in np.array(drawn)[:, changed]


def test_padding_changes_nothing_and_a_model_that_minds_it_is_found(evaluation, monkeypatch):
    trained, reviews = evaluation.trained, Reviews("test", size=20)
    records = [Record(r.id, r.tokens[: 2 + 3 * (i % 10)], 0) for i, r in enumerate(reviews)]
    texts = trained.encode(records)
    found = padding.padding_invariance(trained, texts)
    assert found["holds"] and found["changed_masks"] == 0 and found["texts"] == 20
    assert found["padded_otherwise"] == (texts.lengths <= 24).sum() > 0
    assert padding.padding_invariance(trained, evaluation.texts)["holds"] is None  # all were cut

    class Minds:
        def __init__(self, method, bounds, classes):
            self.places = np.full((20, 32), 1 / len(bounds))

        def __call__(self, *_):
            return dataclasses.replace(evaluation.outputs, scores=self.places)

    monkeypatch.setattr(padding, "Rationalizer", Minds)
    found = padding.padding_invariance(trained, texts)
    assert found["holds"] is False and found["largest_change_of_scores"] == pytest.approx(0.75)


def test_a_label_hidden_in_the_masks_places_is_read_and_noise_is_not():
    lengths = RNG.integers(12, 30, 300)
    labels = RNG.integers(0, 2, 300)
    noise = (RNG.random((300, 30)) < 0.2) & (np.arange(30) < lengths[:, None])
    code = noise.copy()
    code[:, 0] = labels
    read = readable(mask_features(code, lengths), labels, 0)
    assert read["accuracy"] > 0.95 and read["information"] > 0.5
    blind = readable(mask_features(noise, lengths), labels, 0)
    assert blind["low"] <= 0.6 and blind["information"] < 0.1


def test_features_are_of_the_masks_shape_alone():
    (found,) = mask_features(np.array([[0, 1, 1, 0, 1, 0, 0, 0]]), np.array([5]))
    np.testing.assert_allclose(found[:4], [3, 0.6, 2, 1.5])
    np.testing.assert_allclose(found[4:7], [0.3, (1.5 + 2.5 + 4.5) / 15, 0.9])
    assert found[7:17].sum() == pytest.approx(0.6)
    np.testing.assert_array_equal(found[17:25], [0, 1, 1, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(found[25:], [1, 0, 1, 1, 0, 0, 0, 0])


def test_both_labels_are_probed_and_a_constant_one_is_said(evaluation):
    found = mask_only(evaluation)
    assert 0 <= found["label"]["mask"]["low"] <= found["label"]["mask"]["high"] <= 1
    assert found["label"]["majority"] >= 0.5 and found["label"]["entropy"] <= 1
    same = np.tile([0.9, 0.1], (20, 1))
    outputs = dataclasses.replace(evaluation.outputs, probabilities=same)
    found = mask_only(dataclasses.replace(evaluation, outputs=outputs))
    assert found["prediction"] == {"missing": "all texts have the same"}


def test_norms_are_the_runs_own_and_correlate_with_the_count(evaluation, predict):
    found = norm_by_count(evaluation, predict)
    np.testing.assert_allclose(found["norm"], evaluation.outputs.norm, rtol=1e-4)
    assert found["selected"] == evaluation.outputs.mask.sum(1).tolist()
    assert found["random"]["selected"][0] == 0
    assert found["random"]["selected"][-1] == evaluation.valid.sum(1).mean()
    assert correlations(np.arange(4), np.arange(4.0) ** 2)["spearman"] == pytest.approx(1)
    assert correlations(np.ones(4, int), np.arange(4.0)) == {"spearman": None, "pearson": None}


def test_masks_between_random_and_gold_are_of_one_size_and_nest(evaluation):
    gold, valid = evaluation.gold.astype(bool), evaluation.valid
    noise = RNG.random(gold.shape)
    before = np.zeros_like(gold)
    for share in SHARES:
        mask = exchanged(gold, valid, share, noise)
        np.testing.assert_array_equal(mask.sum(1), np.minimum(gold.sum(1), valid.sum(1)))
        kept = mask & gold
        np.testing.assert_array_equal(kept.sum(1), np.rint(share * gold.sum(1)))
        assert (before <= kept).all() and not (mask & ~valid).any()
        before = kept
    np.testing.assert_array_equal(mask, gold)


def test_the_share_of_gold_ends_at_the_gold_rationale_itself(evaluation, predict):
    found = gold_share(evaluation, predict)
    gold = predict(evaluation.texts, evaluation.gold)
    labels = evaluation.texts.labels
    marked = evaluation.gold.any(1)  # of some texts it was cut off
    right = gold.probabilities.argmax(-1) == labels
    assert found["texts"] == marked.sum() > 10 and found["share"] == list(SHARES)
    assert found["accuracy"][-1] == pytest.approx(right[marked].mean())
    own = cross_entropy(labels, gold.probabilities)[marked].mean()
    assert found["cross_entropy"][-1] == pytest.approx(own)
    assert found["norm"][-1] == pytest.approx(gold.norm[marked].mean())
    bare = dataclasses.replace(evaluation.texts, annotated=np.zeros(20, bool))
    assert gold_share(dataclasses.replace(evaluation, texts=bare), predict) is None
