"""Few gold rationales: the counts of UNIREX's figures, and what stands in every batch."""

import itertools

import numpy as np
import pytest

from n2r_jax.data.encoding import encode_texts
from n2r_jax.data.gold import GoldBatches, choose_gold, forget_other_gold, gold_count
from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError

GAMMA = (0.5, 1, 5, 10, 20)


def texts_of(count, unmarked=0):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 17, count)
    records = [
        Record(str(i), ("a",) * n, i % 2, None if i < unmarked else (1,) * n)
        for i, n in enumerate(lengths)
    ]
    return encode_texts(records, Vocabulary(("a",)), max_length=16)


def batches_of(texts, gold, size=8, **changes):
    everything = np.arange(len(texts))
    return GoldBatches(texts, everything, (8, 16), size, 7, epochs=3, gold=gold, **changes)


@pytest.mark.parametrize(
    ("questions", "counts"),
    [(6920, (35, 70, 346, 692, 1384)), (8752, (44, 88, 438, 876, 1751))],
)
def test_counts_are_those_of_sst_and_cose(questions, counts):
    assert tuple(gold_count(gamma, questions) for gamma in GAMMA) == counts
    assert gold_count(100, questions) == questions


def test_gold_is_drawn_by_its_own_seed_among_the_marked():
    texts = texts_of(200, unmarked=50)
    chosen = choose_gold(texts, np.arange(200), 20, seed=0)
    assert len(chosen) == len(set(chosen)) == 40 and chosen.min() >= 50
    np.testing.assert_array_equal(chosen, choose_gold(texts, np.arange(200), 20, seed=0))
    assert set(chosen) != set(choose_gold(texts, np.arange(200), 20, seed=1))
    with pytest.raises(UserError, match="are 160, but only 150 have a gold rationale"):
        choose_gold(texts, np.arange(200), 80, seed=0)


def test_what_is_not_chosen_is_as_if_nobody_had_marked_it():
    texts = texts_of(10)
    left = forget_other_gold(texts, np.array([2, 5]))
    assert np.flatnonzero(left.annotated).tolist() == [2, 5]
    batch = left.batch(range(10), 10, 16)
    assert np.flatnonzero(batch.rationale.any(1)).tolist() == [2, 5]
    assert texts.annotated.all() and texts.rationales.all(), "the texts themselves are left alone"


def test_every_batch_has_its_gold_and_the_others_come_once_an_epoch():
    texts, gold = texts_of(70), np.arange(60, 70)
    batches = batches_of(texts, gold)
    assert batches.per_epoch == 15  # ceil(60 / 4)
    for epoch in range(2):
        plan = batches.plan(epoch)
        own = [set(part) & set(gold) for _, part in plan]
        assert [len(found) for found in own] == [4] * 15
        others = list(itertools.chain(*(set(part) - set(gold) for _, part in plan)))
        assert sorted(others) == list(range(60))
        assert all(texts.sizes[part].max() <= length for length, part in plan)
        assert len(set(map(frozenset, own))) > 1
    assert [p.indices.tolist() for p in batches.plan(0)] != [
        p.indices.tolist() for p in batches.plan(1)
    ]


def test_a_run_that_goes_on_draws_as_if_it_had_never_stopped():
    texts, gold = texts_of(70), np.arange(60, 70)
    whole, later = batches_of(texts, gold), batches_of(texts, gold)
    for index in (44, 17, 16, 30):  # in any order: a batch depends on its place alone
        for a, b in zip(whole[index], later[index], strict=True):
            np.testing.assert_array_equal(a, b)
    everything = [part.indices.tolist() for epoch in (0, 1) for part in whole.plan(epoch)]
    assert len(set(map(tuple, everything))) == 30


def test_fewer_gold_texts_than_places_are_all_taken():
    plan = batches_of(texts_of(30), np.array([3, 4]), size=8).plan(0)
    assert all({3, 4} <= set(part) and len(part) <= 6 for _, part in plan) and len(plan) == 7


@pytest.mark.parametrize(("size", "beta"), [(1, 2.0), (8, 1.0), (8, 0.5)])
def test_a_batch_without_room_for_both_is_told(size, beta):
    with pytest.raises(UserError, match="no room for texts with gold and others"):
        batches_of(texts_of(9), np.array([1]), size=size, beta=beta)
