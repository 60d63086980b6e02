"""Texts to padded batches."""

import numpy as np
import pytest

from n2r_jax.data.encoding import encode_texts
from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError

RECORDS = [
    Record("a", ("the", "beer", "is", "Good"), 1, (0, 0, 0, 1)),
    Record("b", ("bad",), 0, None),
    Record("c", ("the", "xyzzy"), 0, (0, 0)),
]
VOCABULARY = Vocabulary(("the", "beer", "is", "good", "bad"))


def test_tokens_labels_and_gold_are_those_of_the_records():
    texts = encode_texts(RECORDS, VOCABULARY, max_length=10)
    batch = texts.batch([0, 2], rows=3, length=5, first_row=6)
    np.testing.assert_array_equal(batch.tokens, [[1, 2, 3, 4, 0], [1, 0, 0, 0, 0], [0] * 5])
    np.testing.assert_array_equal(batch.length, [4, 2, 0])
    np.testing.assert_array_equal(batch.label, [1, 0, 0])
    np.testing.assert_array_equal(batch.weight, [1, 1, 0])
    np.testing.assert_array_equal(batch.row, [6, 7, 8])
    np.testing.assert_array_equal(batch.rationale[0], [0, 0, 0, 1, 0])
    np.testing.assert_array_equal(batch.annotated, [1, 1, 0])
    assert texts.annotated.tolist() == [True, False, True]


def test_long_texts_are_cut_and_counted_with_their_gold():
    texts = encode_texts(RECORDS, VOCABULARY, max_length=3)
    assert texts.truncated == 1
    assert texts.lengths.tolist() == [3, 1, 2]
    assert texts.batch([0], 1, 3).rationale.sum() == 0


def test_long_texts_are_refused_by_name_where_asked():
    with pytest.raises(UserError, match=r"dev, row 'a': 4 tokens, the limit is 3; raise"):
        encode_texts(RECORDS, VOCABULARY, max_length=3, too_long="error", name="dev")


def test_no_texts_are_no_error():
    assert len(encode_texts([], VOCABULARY, max_length=3)) == 0


def test_any_choice_of_texts_is_what_a_loop_over_them_gives():
    rng = np.random.default_rng(0)
    words = tuple("abcdefgh")
    records = [
        Record(str(i), tuple(rng.choice(words, n)), int(n) % 2, tuple(rng.integers(0, 2, n)))
        for i, n in enumerate(rng.integers(1, 9, 40))
    ]
    texts = encode_texts(records, Vocabulary(words), max_length=8)
    for count in (0, 1, 7):
        chosen = rng.integers(0, len(records), count)
        batch = texts.batch(chosen, rows=7, length=8)
        for row, index in enumerate(chosen):
            record, size = records[index], len(records[index].tokens)
            ids = [words.index(token) + 1 for token in record.tokens]
            assert batch.tokens[row].tolist() == ids + [0] * (8 - size)
            assert batch.rationale[row].tolist() == [*record.rationale] + [0] * (8 - size)
            assert (batch.length[row], batch.label[row]) == (size, record.label)
        assert batch.weight.tolist() == [1] * count + [0] * (7 - count)
        assert not batch.tokens[count:].any() and not batch.length[count:].any()
    kinds = [column.dtype.name for column in batch[:7]]
    assert kinds == ["int32", "int32", "int32", "float32", "int32", "int32", "float32"]


def test_a_batch_too_short_for_a_text_is_refused():
    texts = encode_texts(RECORDS, VOCABULARY, max_length=10)
    with pytest.raises(ValueError, match="a text of 4 does not fit in rows of 3"):
        texts.batch([1, 0], rows=2, length=3)


def test_own_words_are_those_that_occur_and_keep_every_text():
    texts = encode_texts(RECORDS, Vocabulary(("a", "the", "b", "beer", "bad", "c")), max_length=10)
    words, own = texts.with_own_words()
    assert words.tolist() == [0, 2, 4, 5]
    np.testing.assert_array_equal(words[own.ids], texts.ids)
    assert own.ids.dtype == texts.ids.dtype
    empty = encode_texts([], VOCABULARY, max_length=3)
    assert empty.with_own_words()[0].tolist() == [0]
