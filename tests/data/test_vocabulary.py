"""Vocabulary: ids, files, and vectors that depend on nothing but the word and the seed."""

import json

import numpy as np
import pytest

from n2r_jax.data.vocabulary import Vocabulary, build_vocabulary, seeded_vectors
from n2r_jax.errors import DataError, UserError

TEXTS = [("The", "cat", "sat"), ("the", "dog"), ("café",)]


def test_encode_gives_zero_to_unknown_words_and_ids_in_order():
    vocabulary = Vocabulary(("the", "cat"))
    ids = vocabulary.encode(["The", "black", "cat"])
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 0, 2]
    assert len(vocabulary) == 3
    assert vocabulary.encode([]).shape == (0,)


def test_lowercase_is_an_attribute_of_the_vocabulary():
    assert Vocabulary(("the",), lowercase=False).encode(["The", "the"]).tolist() == [0, 1]


def test_repeated_words_are_refused():
    with pytest.raises(ValueError, match="distinct"):
        Vocabulary(("a", "b", "a"))


def test_save_and_load_give_the_same_vocabulary(tmp_path):
    vocabulary, _ = build_vocabulary(TEXTS, dimension=3, seed=0, lowercase=False)
    vocabulary.save(tmp_path / "words.json")
    loaded = Vocabulary.load(tmp_path / "words.json")
    assert loaded == vocabulary
    assert loaded.fingerprint == vocabulary.fingerprint
    assert [file.name for file in tmp_path.iterdir()] == ["words.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("cat", "cot"),
        lambda text: text.replace("true", "false"),
        lambda text: text.replace("words", "wards"),
        lambda text: "[]",
        lambda text: text.replace('"cat"', "7"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "words.json"
    build_vocabulary(TEXTS, dimension=3, seed=0)[0].save(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataError, match=r"words\.json.*copy it again"):
        Vocabulary.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such"):
        Vocabulary.load(tmp_path / "words.json")


def test_file_is_readable_json(tmp_path):
    Vocabulary(("café",)).save(tmp_path / "v.json")
    text = (tmp_path / "v.json").read_text(encoding="utf-8")
    assert "café" in text
    assert json.loads(text)["words"] == ["café"]


def test_fingerprint_sees_order_and_case():
    prints = {
        Vocabulary(words, lowercase).fingerprint
        for words in [("a", "b"), ("b", "a"), ("ab",)]
        for lowercase in (True, False)
    }
    assert len(prints) == 6


def test_build_without_vectors_orders_by_frequency_and_zeroes_row_0():
    vocabulary, matrix = build_vocabulary(TEXTS, dimension=5, seed=1)
    assert vocabulary.words == ("the", "café", "cat", "dog", "sat")
    assert matrix.shape == (6, 5)
    assert matrix.dtype == np.float32
    assert not matrix[0].any()
    assert matrix[1:].all()


def test_min_count_drops_rare_words():
    vocabulary, _ = build_vocabulary(TEXTS, dimension=5, seed=1, min_count=2)
    assert vocabulary.words == ("the",)


def test_a_seeded_vector_depends_on_word_and_seed_alone():
    alone = seeded_vectors(["cat"], dimension=7, seed=0)[0]
    together = seeded_vectors(["dog", "cat", "the"], dimension=7, seed=0)[1]
    np.testing.assert_array_equal(alone, together)
    assert not np.allclose(alone, seeded_vectors(["cat"], dimension=7, seed=1)[0])
    # Recorded: a change here would change every model trained without pretrained vectors.
    np.testing.assert_allclose(alone[:3], RECORDED, rtol=1e-6)


RECORDED = [0.0856472, 0.42125776, 0.42141336]


def test_seeded_vectors_are_normal_with_the_spread_of_glove():
    matrix = seeded_vectors([f"w{i}" for i in range(2000)], dimension=50, seed=3)
    assert abs(matrix.mean()) < 0.005
    assert abs(matrix.std() - 0.4) < 0.005
    assert abs(np.mean(np.abs(matrix) < 0.4) - 0.6827) < 0.01
    correlation = np.corrcoef(matrix.T) - np.eye(50)
    assert np.abs(correlation).max() < 0.12


def test_build_with_vectors_keeps_all_their_words():
    given = np.arange(6, dtype=np.float32).reshape(3, 2)
    vocabulary, matrix = build_vocabulary(
        TEXTS, dimension=2, seed=0, vectors=(("x", "cat", "y"), given)
    )
    assert vocabulary.words == ("x", "cat", "y")
    np.testing.assert_array_equal(matrix, [[0, 0], [0, 1], [2, 3], [4, 5]])


def test_vectors_of_another_dimension_are_refused():
    with pytest.raises(UserError, match="dimension to 2"):
        build_vocabulary(TEXTS, dimension=3, seed=0, vectors=(("x",), np.zeros((1, 2), np.float32)))
