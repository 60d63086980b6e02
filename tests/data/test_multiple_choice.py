"""Pairs and questions on their way into a batch: what is cut, and what stays together."""

import dataclasses

import numpy as np
import pytest

from n2r_jax.data.batching import Batches
from n2r_jax.data.encoding import encode_texts, kept_of_each
from n2r_jax.data.multiple_choice import expand, rows_of
from n2r_jax.data.pieces import encode_pieces
from n2r_jax.data.records import Record
from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import UserError
from n2r_jax.inputs import PieceInputs, WordInputs
from tests.models import tiny_encoder

VOCABULARY = Vocabulary(("the", "staff", "kind", "room", "clean", "a:", "q:"))
INPUTS = WordInputs(VOCABULARY, np.zeros((8, 2), np.float32))
PAIR = Record("p", ("the", "staff", "kind", "wonderful", "room"), 0, (0, 1, 0, 1, 1), second=2)
QUESTION = Record("q", ("the", "room"), 1, (0, 1), choices=(("clean",), ("kind", "staff")))
LIMITS = {"max_length": 16, "too_long": "truncate", "name": "x"}


@pytest.mark.parametrize(
    ("first", "second", "room", "kept"),
    [(3, 4, 7, (3, 4)), (9, 2, 6, (4, 2)), (2, 9, 6, (2, 4)), (9, 9, 7, (4, 3)), (8, 9, 7, (3, 4))],
)
def test_the_longer_text_of_a_pair_gives_way(first, second, room, kept):
    assert kept_of_each(first, second, room) == kept


def test_no_room_for_a_pair_is_told():
    with pytest.raises(UserError, match="no room for a pair"):
        kept_of_each(2, 2, 1)


def test_words_of_a_pair_follow_each_other_and_know_where_they_stood():
    texts = encode_texts([PAIR, QUESTION], VOCABULARY, max_length=4)
    assert texts.second.tolist() == [2, 0] and texts.truncated == 1
    batch = texts.batch([0], 1, 4)
    assert batch.tokens.tolist() == [[1, 2, 3, 0]]
    assert batch.rationale.tolist() == [[0, 1, 0, 1]]
    assert texts.places(0, PAIR).tolist() == [0, 1, 2, 3]
    cut_first = encode_texts([dataclasses.replace(PAIR, second=4)], VOCABULARY, max_length=3)
    assert cut_first.places(0, dataclasses.replace(PAIR, second=4)).tolist() == [0, 1, 4]


def test_pieces_of_a_pair_are_framed_and_segmented_as_the_tokeniser_says():
    tokenizer = tiny_encoder.wordpiece()
    texts = encode_pieces([PAIR, Record("s", ("the",), 0)], tokenizer, max_length=32)
    pieces = texts.batch([0, 1], 2, 10).pieces
    name = tokenizer._tokenizer.id_to_token
    framed = ["[CLS]", "the", "staff", "[SEP]", "kind", "wonder", "##ful", "room", "[SEP]"]
    assert [name(int(i)) for i in pieces.ids[0][:9]] == framed
    assert pieces.word[0].tolist() == [-1, 0, 1, -1, 2, 3, 3, 4, -1, -1]
    assert pieces.segment.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1, 0], [0] * 10]
    batch = texts.batch([0], 1, 10)
    assert batch.tokens[0][:5].tolist() == [1, 2, 4, 5, 7], "first pieces of the words"
    assert batch.rationale[0][:5].tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("room", range(5, 10))
def test_a_pair_that_is_cut_keeps_whole_words_of_both_and_their_gold(room):
    texts = encode_pieces([PAIR], tiny_encoder.wordpiece(), max_length=room)
    batch, places = texts.batch([0], 1, room), texts.places(0, PAIR)
    assert batch.pieces.length[0] <= room and set(places) & {0, 1} and set(places) & {2, 3, 4}
    gold = [PAIR.rationale[place] for place in places]
    assert batch.rationale[0][: len(places)].tolist() == gold
    assert batch.pieces.word[0].max() == len(places) - 1
    assert texts.truncated == (len(places) < 5)


def test_bigbird_and_roberta_read_a_pair_in_one_segment():
    for kind, segments in (("bert", 1), ("big_bird", 0), ("roberta", 0)):
        inputs = PieceInputs(tiny_encoder.wordpiece(), {"model_type": kind})
        texts = inputs.encode([PAIR], **LIMITS)
        assert texts.batch([0], 1, 16).pieces.segment.max() == segments
    assert inputs.fingerprint != PieceInputs(tiny_encoder.wordpiece(), {}).fingerprint


def test_a_question_is_a_pair_for_each_answer_with_the_gold_of_the_question():
    one, two = rows_of(QUESTION)
    assert one.tokens == ("Q:", "the", "room", "A:", "clean")
    assert two.tokens == ("Q:", "the", "room", "A:", "kind", "staff")
    assert (one.second, one.rationale, two.rationale) == (3, (0, 0, 1, 0, 0), (0, 0, 1, 0, 0, 0))
    assert rows_of(PAIR) == (PAIR,)
    other = dataclasses.replace(QUESTION, choices=(("a",),) * 3)
    with pytest.raises(UserError, match=r"questions have \[2, 3\] choices"):
        expand([QUESTION, other])


def questions(count):
    rng = np.random.default_rng(0)
    words = ("the", "room", "kind")
    return [
        Record(
            str(i),
            tuple(rng.choice(words, rng.integers(1, 9))),
            int(rng.integers(3)),
            choices=tuple(tuple(rng.choice(words, n)) for n in rng.integers(1, 4, 3)),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("seed", [None, 3])
def test_no_batch_and_no_process_has_a_part_of_a_question(seed):
    texts = INPUTS.encode(questions(11), **LIMITS)
    assert (texts.choices, texts.questions, len(texts)) == (3, 11, 33)
    parts = [
        Batches(texts, np.arange(11), (8, 16), 4, seed, process=p, processes=2) for p in (0, 1)
    ]
    seen = []
    for place, (length, rows) in enumerate(parts[0].plan(0)):
        assert (rows.reshape(-1, 3) % 3 == [0, 1, 2]).all(), "the rows of questions, in order"
        halves = [part[place] for part in parts]
        assert [len(half.label) for half in halves] == [6, 6]
        np.testing.assert_array_equal(np.concatenate([h.row for h in halves]), np.arange(12))
        together = np.concatenate([half.tokens for half in halves])[: len(rows)]
        np.testing.assert_array_equal(together, texts.batch(rows, len(rows), length).tokens)
        seen += (rows[::3] // 3).tolist()
    assert sorted(seen) == list(range(11))
