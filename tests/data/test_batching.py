"""Plans of epochs, and the stream that a checkpoint can resume."""

import collections

import numpy as np
import pytest

from n2r_jax.data.batching import Batches, balanced, plan_epoch, stream
from n2r_jax.data.encoding import encode_texts
from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError

BOUNDS = (4, 8, 16)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    words = tuple(f"w{i}" for i in range(200))
    records = [
        Record(str(i), (words[i], *words[: rng.integers(0, 16)]), int(i % 3 == 0))
        for i in range(101)
    ]
    return encode_texts(records, Vocabulary(words), max_length=16)


def batches(texts, **changes):
    settings = {"bounds": BOUNDS, "batch_size": 8, "seed": 1, "epochs": 3} | changes
    return Batches(texts, np.arange(len(texts)), **settings)


def first_words(batch):
    return [int(t[0]) for t, w in zip(batch.tokens, batch.weight, strict=True) if w]


def test_every_text_stands_in_every_epoch_once(texts):
    source = batches(texts)
    for epoch in range(3):
        start = epoch * source.per_epoch
        seen = [w for i in range(source.per_epoch) for w in first_words(source[start + i])]
        assert sorted(seen) == list(range(1, 102))


def test_texts_fit_their_padding_and_only_one_batch_is_not_full(texts):
    rng = np.random.default_rng(0)
    planned = plan_epoch(texts.lengths, BOUNDS, 8, rng)
    assert sum(len(p.indices) < 8 for p in planned) == 1
    for length, indices in planned:
        assert texts.lengths[indices].max() <= length
    waste = sum(p.length * 8 for p in planned)
    assert waste < 16 * 8 * len(planned), "buckets save nothing"


def test_epochs_differ_and_seeds_repeat(texts):
    source, again, other = batches(texts), batches(texts), batches(texts, seed=2)
    first = [first_words(source[i]) for i in range(source.per_epoch)]
    assert first == [first_words(again[i]) for i in range(source.per_epoch)]
    assert first != [first_words(source[source.per_epoch + i]) for i in range(source.per_epoch)]
    assert first != [first_words(other[i]) for i in range(source.per_epoch)]


def test_the_stream_goes_on_from_any_batch(texts):
    source = batches(texts)
    whole = [first_words(b) for b in stream(source)]
    assert len(whole) == len(source) == 3 * source.per_epoch
    assert [first_words(b) for b in stream(source, 17)] == whole[17:]


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_out_a_global_batch(texts, processes):
    whole = batches(texts)
    parts = [batches(texts, process=p, processes=processes) for p in range(processes)]
    for index in range(len(whole)):
        together = [part[index] for part in parts]
        for name in ("tokens", "length", "label", "weight", "row"):
            joined = np.concatenate([getattr(b, name) for b in together])
            np.testing.assert_array_equal(joined, getattr(whole[index], name))


def test_evaluation_keeps_all_texts_in_order_of_length(texts):
    source = batches(texts, seed=None, epochs=1)
    assert sorted(w for b in map(source.__getitem__, range(len(source))) for w in first_words(b))
    lengths = [b.tokens.shape[1] for b in map(source.__getitem__, range(len(source)))]
    assert sum(len(first_words(source[i])) for i in range(len(source))) == 101
    assert lengths[:-1] == sorted(lengths[:-1])


def test_balancing_takes_the_rarer_class_whole_and_as_many_of_the_others():
    labels = np.array([0] * 50 + [1] * 20 + [2] * 30)
    chosen = balanced(labels, seed=3)
    assert collections.Counter(labels[chosen].tolist()) == {0: 20, 1: 20, 2: 20}
    assert set(range(50, 70)) <= set(chosen.tolist())
    assert np.array_equal(chosen, balanced(labels, seed=3))
    assert not np.array_equal(chosen, balanced(labels, seed=4))


def test_impossible_batches_are_refused(texts):
    with pytest.raises(UserError, match="does not divide among 3 processes"):
        batches(texts, processes=3)
    with pytest.raises(UserError, match="must ascend"):
        batches(texts, bounds=(8, 4, 16))
    with pytest.raises(UserError, match="no text"):
        Batches(texts, np.zeros(0, np.int64), BOUNDS, 8, seed=0)
