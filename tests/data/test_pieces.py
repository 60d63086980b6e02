"""Words to pieces and back: which word a piece is of, what is cut, what never disappears."""

import numpy as np
import pytest

from n2r_jax.data.pieces import SPECIAL, PieceTokenizer, encode_pieces
from n2r_jax.data.records import Record
from n2r_jax.errors import DataError, UserError
from tests.models import tiny_encoder

TEXTS = [["The", "staff", "un", "##kind"], ["wonderfully", "kind", "\u200d", "staff"], ["the"] * 9]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_encoder.wordpiece()


def pieces_of(tokenizer, found):
    return [tokenizer._tokenizer.id_to_token(int(i)) for i in found.ids]


def test_special_pieces_stand_around_and_belong_to_no_word(tokenizer):
    for found in tokenizer.cut(TEXTS, 32):
        assert (
            pieces_of(tokenizer, found)[0] == "[CLS]" and pieces_of(tokenizer, found)[-1] == "[SEP]"
        )
        assert found.words[0] == found.words[-1] == SPECIAL
        assert (found.words[1:-1] >= 0).all()


def test_a_word_of_many_pieces_and_one_of_none(tokenizer):
    found = list(tokenizer.cut(TEXTS, 32))[1]
    assert pieces_of(tokenizer, found)[1:-1] == [
        "wonder",
        "##ful",
        "##ly",
        "kind",
        "[UNK]",
        "staff",
    ]
    np.testing.assert_array_equal(found.words[1:-1], [0, 0, 0, 1, 2, 3])


def test_words_are_kept_whole_when_a_text_is_cut(tokenizer):
    for room in range(3, 9):
        full, short = (next(tokenizer.cut(TEXTS[1:2], size)) for size in (32, room))
        assert len(short.ids) <= room and short.words[-1] == SPECIAL
        kept = short.words[1:-1]
        np.testing.assert_array_equal(kept, full.words[1 : 1 + len(kept)])
        whole = (full.words == kept[-1]).sum() == (kept == kept[-1]).sum()
        assert whole or kept[-1] == 0, "only a first word that is too long is cut itself"


def test_texts_in_chunks_come_as_they_do_alone(tokenizer, monkeypatch):
    together = list(tokenizer.cut(TEXTS, 16))
    monkeypatch.setattr("n2r_jax.data.pieces.CHUNK", 1)
    for one, alone in zip(together, tokenizer.cut(TEXTS, 16), strict=True):
        np.testing.assert_array_equal(one.ids, alone.ids)


def test_byte_level_words_look_as_after_a_space():
    tokenizer = tiny_encoder.byte_level()
    (found,) = tokenizer.cut([["the", "the"]], 16)
    assert pieces_of(tokenizer, found)[1:-1] == ["Ġthe", "Ġthe"]


def test_a_batch_knows_the_first_piece_of_every_word(tokenizer):
    gold = (1, 0, 1, 0)
    records = [Record("a", tuple(TEXTS[1]), 1, gold), Record("b", tuple(TEXTS[2]), 0)]
    texts = encode_pieces(records, tokenizer, max_length=9)
    assert texts.truncated == 1 and list(texts.lengths) == [4, 7] and list(texts.sizes) == [8, 9]
    batch = texts.batch([0, 1], 3, 12)
    np.testing.assert_array_equal(batch.tokens[0, :5], [1, 4, 5, 6, 0])
    np.testing.assert_array_equal(batch.rationale[0, :4], gold)
    np.testing.assert_array_equal(batch.length, [4, 7, 0])
    np.testing.assert_array_equal(batch.pieces.length, [8, 9, 0])
    assert (np.asarray(batch.pieces.word)[2] == SPECIAL).all()
    np.testing.assert_array_equal(np.asarray(batch.pieces.visible).sum(1), [8, 9, 0])


def test_a_text_that_is_too_long_is_an_error_where_that_is_asked(tokenizer):
    records = [Record("r7", tuple(TEXTS[2]), 0)]
    with pytest.raises(
        UserError, match="dev, row 'r7': 9 words in too many pieces, the limit is 6"
    ):
        encode_pieces(records, tokenizer, max_length=6, too_long="error", name="dev")


def test_no_text_at_all_encodes_to_nothing(tokenizer):
    assert len(encode_pieces([], tokenizer, max_length=8)) == 0


def test_a_saved_tokeniser_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    again = PieceTokenizer.load(tmp_path / "tokenizer.json")
    assert again.fingerprint == tokenizer.fingerprint
    np.testing.assert_array_equal(next(again.cut(TEXTS, 9)).ids, next(tokenizer.cut(TEXTS, 9)).ids)


@pytest.mark.parametrize("content", [None, "{", '{"version": "1.0"}'])
def test_what_is_no_tokeniser_is_named(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json.*copy the model's directory again"):
        PieceTokenizer.load(path)
