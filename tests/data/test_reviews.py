"""Reviews: balanced, reproducible, readable, and without a shortcut to the label."""

import collections
import functools
import itertools
import random

import numpy as np
import pytest

from n2r_jax.data.records import Source
from n2r_jax.data.reviews import MAX_TOKENS, MIN_TOKENS, Reviews, write_review
from n2r_jax.data.reviews_grammar import ASPECTS
from n2r_jax.errors import UserError

PUNCTUATION = (".", "!", ",", ";")


@functools.cache
def records(split, size, correlation=0.0):
    return tuple(Reviews(split, size=size, correlation=correlation))


def bag_accuracy(view, train, test):
    """Test accuracy of a logistic regression on the counts of `view(record)`'s words."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = CountVectorizer(analyzer=view)
    model = LogisticRegression(max_iter=1000).fit(
        counter.fit_transform(train), [record.label for record in train]
    )
    return model.score(counter.transform(test), [record.label for record in test])


def marked(record, mark):
    return [
        token for token, gold in zip(record.tokens, record.rationale, strict=True) if gold == mark
    ]


def test_is_a_source():
    assert isinstance(Reviews("train", size=4), Source)


def test_record_depends_on_seed_split_and_index_alone():
    short, long = Reviews("dev", size=10), Reviews("dev", size=200)
    assert [long[i] for i in reversed(range(10))] == list(short)[::-1]
    assert short[3] != Reviews("dev", size=10, seed=1)[3]
    assert short[3].tokens != Reviews("test", size=10)[3].tokens


def test_fingerprint_tells_sources_apart():
    settings = [
        {},
        {"seed": 1},
        {"size": 21},
        {"correlation": 0.8},
        {"aspect": "location"},
    ]
    prints = [Reviews("dev", **({"size": 20} | setting)).fingerprint for setting in settings]
    assert len(set(prints)) == len(settings)
    assert Reviews("dev", size=20).fingerprint == prints[0]


def test_labels_are_balanced_in_every_prefix():
    labels = [record.label for record in records("train", 3000)]
    assert sum(labels) == 1500
    assert abs(sum(labels[:501]) - 250) <= 1
    order = labels[::2]
    assert 0.4 < np.mean(order) < 0.6


def test_lengths_and_gold_share():
    lengths = [len(record.tokens) for record in records("train", 3000)]
    gold = [sum(record.rationale) for record in records("train", 3000)]
    assert min(lengths) >= MIN_TOKENS and max(lengths) <= MAX_TOKENS
    assert min(gold) >= 2
    assert 0.10 <= sum(gold) / sum(lengths) <= 0.20


def test_gold_comes_in_phrases():
    runs = [
        len(list(run))
        for record in records("train", 3000)
        for gold, run in itertools.groupby(record.rationale)
        if gold
    ]
    assert min(runs) >= 2
    assert np.mean(runs) > 3


def test_vocabulary_is_large_and_every_word_is_plain():
    counts = collections.Counter(
        word for record in records("train", 3000) for word in record.tokens
    )
    assert len(counts) >= 600
    assert not [word for word in counts if set(word) & set("{}[]|/ ") or word != word.lower()]


@pytest.mark.parametrize("aspect", ASPECTS)
def test_opposite_polarities_give_a_review_of_the_same_shape(aspect):
    for seed in range(300):
        happy, angry = (
            write_review(random.Random(seed), dict.fromkeys(ASPECTS, polarity), aspect)
            for polarity in (1, 0)
        )
        assert [mark for _, mark in happy] == [mark for _, mark in angry]
        for (good, _), (bad, _) in zip(happy, angry, strict=True):
            assert good == bad or not {good, bad} & set(PUNCTUATION)


def test_length_and_punctuation_do_not_tell_the_label():
    def view(record):
        marks = [token for token in record.tokens if token in PUNCTUATION]
        return [*marks, *["token"] * len(record.tokens), *["gold"] * sum(record.rationale)]

    assert abs(bag_accuracy(view, records("train", 3000), records("test", 1000)) - 0.5) < 0.06


def test_gold_predicts_the_label_and_the_rest_does_not():
    train, test = records("train", 3000), records("test", 1000)
    assert bag_accuracy(lambda record: record.tokens, train, test) > 0.82
    assert bag_accuracy(lambda record: marked(record, 1), train, test) > 0.88
    assert bag_accuracy(lambda record: marked(record, 0), train, test) < 0.60


def test_correlation_makes_the_rest_predict_the_label():
    train, test = records("train", 3000, 0.8), records("test", 1000, 0.8)
    assert bag_accuracy(lambda record: marked(record, 0), train, test) > 0.75


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_correlation_is_pearson_between_the_polarities(correlation):
    source = Reviews("train", size=4000, correlation=correlation)
    drawn = [source._polarities(index, random.Random(index)) for index in range(4000)]
    table = np.array([[polarity[name] for name in ASPECTS] for polarity in drawn])
    measured = np.corrcoef(table.T)[list(ASPECTS).index("service")]
    assert abs(np.delete(measured, list(ASPECTS).index("service")) - correlation).max() < 0.05


def test_texts_are_rarely_shared_between_splits():
    texts = [
        {record.tokens for record in records(split, 1000)} for split in ("train", "dev", "test")
    ]
    shared = sum(len(one & other) for one, other in itertools.combinations(texts, 2))
    repeated = sum(1000 - len(part) for part in texts)
    assert shared + repeated < 0.005 * 3000


@pytest.mark.parametrize(
    "arguments",
    [
        {"split": "valid"},
        {"split": "dev", "aspect": "price"},
        {"split": "dev", "correlation": 1.5},
        {"split": "dev", "size": 0},
    ],
)
def test_settings_that_make_no_sense_are_named(arguments):
    with pytest.raises(UserError, match=r"choose|ask"):
        Reviews(arguments.pop("split"), **arguments)


def test_index_outside_the_source_is_an_index_error():
    with pytest.raises(IndexError):
        Reviews("dev", size=3)[3]
