"""The predictor behind any mask: the run's own prediction, the whole text, and nothing at all."""

import numpy as np
import pytest

from n2r_jax.data.records import Record
from n2r_jax.data.reviews import Reviews
from n2r_jax.faithful import masked_predictor
from n2r_jax.inference import TrainedRun
from tests import tiny


@pytest.fixture(scope="module")
def trained():
    return TrainedRun(tiny.trained_run())


@pytest.fixture(scope="module")
def predict(trained):
    return masked_predictor(trained)


@pytest.fixture(scope="module")
def texts(trained):
    return trained.encode(records())


def records():
    """Texts of many lengths, more than a batch holds, one longer than the run reads."""
    reviews = Reviews("test", size=19)
    several = [Record(r.id, r.tokens[: 2 + 3 * (i % 9)], 0) for i, r in enumerate(reviews)]
    return [*several, Record("long", reviews[0].tokens * 3, 0)]


def valid(texts, width=32):
    return np.arange(width) < texts.lengths[:, None]


def test_behind_its_own_mask_it_says_what_the_run_says(trained, predict, texts):
    outputs = trained.rationalize(texts, sample_seed=3)
    assert 0 < outputs.mask.sum() < valid(texts).sum()
    np.testing.assert_allclose(predict(texts, outputs.mask), outputs.probabilities, atol=1e-6)


def test_of_nothing_it_says_the_same_of_all_texts_of_one_length(predict, texts):
    """A GRU reads how many words there were, which of them not (masking keeps the gaps)."""
    found = predict(texts, np.zeros((len(texts), 32)))
    for length in set(texts.lengths.tolist()):
        alike = found[texts.lengths == length]
        np.testing.assert_allclose(alike, np.broadcast_to(alike[0], alike.shape), atol=1e-6)
    assert np.ptp(predict(texts, valid(texts)), axis=0).max() > 1e-3


def test_padding_and_width_of_the_mask_change_nothing(predict, texts):
    whole = predict(texts, valid(texts))
    np.testing.assert_allclose(whole.sum(-1), 1)
    np.testing.assert_array_equal(predict(texts, np.ones((len(texts), 40), bool)), whole)
    some = predict(texts, valid(texts, 5))
    padded = predict(texts, np.pad(valid(texts, 5), ((0, 0), (0, 27))))
    np.testing.assert_array_equal(some, padded)
    assert np.abs(some - whole).max() > 1e-4


def test_taken_out_is_as_if_the_other_tokens_had_never_stood_there(trained, texts):
    outputs = trained.rationalize(texts, sample_seed=3)
    read = [r.tokens[: trained.config.data.max_length] for r in records()]
    kept = [
        tuple(token for token, shown in zip(tokens, mask, strict=False) if shown)
        for tokens, mask in zip(read, outputs.mask, strict=True)
    ]
    some = [i for i, tokens in enumerate(kept) if tokens]
    short = trained.encode([Record("", kept[i], 0) for i in some])
    compact, hidden = masked_predictor(trained, compact=True), masked_predictor(trained)
    found = compact(texts, outputs.mask)
    np.testing.assert_allclose(found[some], hidden(short, valid(short)), atol=1e-6)
    assert np.abs(found - hidden(texts, outputs.mask)).max() > 1e-4
    assert np.isfinite(compact(texts, np.zeros((len(texts), 32)))).all()


def test_a_token_outside_the_mask_has_no_say(trained, predict):
    words = Reviews("test", size=1)[0].tokens[:6]
    others = (words[0], "staff", *words[2:])
    mask = np.array([[1, 0, 1, 0, 0, 1]])
    one, other = (predict(trained.encode([Record("", t, 0)]), mask) for t in (words, others))
    np.testing.assert_array_equal(one, other)
