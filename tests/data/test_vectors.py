"""Word vectors: every container reads the same, and every damage is named with its line."""

import gzip
import zipfile

import numpy as np
import pytest

from n2r_jax.data.vectors import read_vectors
from n2r_jax.errors import DataError

TEXT = "the 0.1 -0.2 3e-1\ncafé 1 2 3\n. . . 4.5 5 6\n\x85 7 8 9\n"
WORDS = ("the", "café", ". . .", "\x85")
MATRIX = np.array([[0.1, -0.2, 0.3], [1, 2, 3], [4.5, 5, 6], [7, 8, 9]], np.float32)


def write(path, text):
    data = text.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("glove.txt", data)
    else:
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v.zip"])
@pytest.mark.parametrize("head", ["", "4 3\n"])
@pytest.mark.parametrize("dimension", [None, 3])
def test_every_text_container_reads_the_same(tmp_path, name, head, dimension):
    words, matrix = read_vectors(write(tmp_path / name, head + TEXT), dimension=dimension)
    assert words == WORDS
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, MATRIX)


def test_windows_line_ends_and_trailing_spaces_do_no_harm(tmp_path):
    text = TEXT.replace("\n", " \r\n")
    np.testing.assert_array_equal(read_vectors(write(tmp_path / "v.txt", text))[1], MATRIX)


def test_words_and_limit_choose_rows_in_file_order(tmp_path):
    path = write(tmp_path / "v.txt", TEXT)
    words, matrix = read_vectors(path, words={". . .", "the", "absent"})
    assert words == ("the", ". . .")
    np.testing.assert_array_equal(matrix, MATRIX[[0, 2]])
    assert read_vectors(path, limit=2)[0] == WORDS[:2]
    assert read_vectors(path, words=[])[1].shape == (0, 3)


def test_more_words_than_a_block(tmp_path):
    path = write(tmp_path / "v.txt", "".join(f"w{i} {i} {-i}\n" for i in range(9000)))
    words, matrix = read_vectors(path)
    assert words[8999] == "w8999"
    np.testing.assert_array_equal(matrix[:, 0], np.arange(9000))


def test_a_repeated_word_keeps_its_first_vector_and_is_counted(tmp_path, caplog):
    words, matrix = read_vectors(write(tmp_path / "v.txt", "a 1 2\nb 3 4\na 5 6\n"))
    assert words == ("a", "b")
    np.testing.assert_array_equal(matrix, [[1, 2], [3, 4]])
    assert "1 repeated" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\nb 3\n", r"line 2: 1 numbers where 2"),
        ("a 1.0 2.0\nb 3.5 4.0 5.0\n", r"line 2: 3 numbers where 2"),
        ("a 1 2\nb 3 x\n", r"line 2: 'x' is not a number"),
        ("a 1 2\nb 3 1_0\n", r"line 2: '1_0' is not a number"),
        ("a 1 2\nb  3\n", r"line 2: '' is not a number"),
        ("a 1 2\nb nan 3\n", r"line 2: a number is not finite"),
        ("a 1 2\nb 3 1e50\n", r"line 2: a number is not finite"),
        ("3 2\na 1 2\nb 3 4\n", r"holds 2 words.*promises 3"),
        ("", r"line 1: holds no vector"),
        ("alone\n", r"line 1: holds no vector"),
    ],
)
def test_damaged_text_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"v\.txt.*{message}.*;"):
        read_vectors(write(tmp_path / "v.txt", text))


@pytest.mark.parametrize("text", [TEXT, "4 3\n" + TEXT])
@pytest.mark.parametrize("asked", [2, 4])
def test_another_dimension_than_asked_is_refused(tmp_path, text, asked):
    with pytest.raises(DataError, match=r"3 numbers"):
        read_vectors(write(tmp_path / "v.txt", text), dimension=asked)


@pytest.mark.parametrize("name", ["v.txt.gz", "v.zip", "v.npz"])
def test_a_truncated_or_foreign_file_is_named(tmp_path, name):
    path = tmp_path / name
    if name.endswith("npz"):
        np.savez(path, words=np.array(WORDS), vectors=MATRIX)
    else:
        write(path, TEXT * 300)
    for content in (path.read_bytes()[:-40], b"<html>not found</html>"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot be read.*download"):
            read_vectors(path)


def test_other_encodings_and_missing_files_are_named(tmp_path):
    (tmp_path / "latin.txt").write_bytes("caf\xe9 1 2\n".encode("latin-1"))
    with pytest.raises(DataError, match="cannot be read"):
        read_vectors(tmp_path / "latin.txt")
    with pytest.raises(DataError, match="no such file"):
        read_vectors(tmp_path / "absent.txt")


def test_a_zip_of_several_texts_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("50d.txt", TEXT)
        archive.writestr("100d.txt", TEXT)
    with pytest.raises(DataError, match="holds 2 files"):
        read_vectors(tmp_path / "v.zip")


def test_arrays_read_like_text(tmp_path):
    np.savez(tmp_path / "v.npz", words=np.array([*WORDS, "the"]), vectors=MATRIX[[0, 1, 2, 3, 1]])
    words, matrix = read_vectors(tmp_path / "v.npz", dimension=3)
    assert words == WORDS
    np.testing.assert_array_equal(matrix, MATRIX)
    assert read_vectors(tmp_path / "v.npz", limit=1)[0] == ("the",)


def test_named_pairs_are_chosen_by_dimension_or_name(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(
        path,
        glove_words=np.array(["a", "b"]),
        glove_6b_2d=np.ones((2, 2), np.float16),
        glove_6b_3d=np.ones((2, 3), np.float16),
        other_words=np.array(["c"]),
        other_3d=np.zeros((1, 3)),
    )
    assert read_vectors(path, dimension=2)[0] == ("a", "b")
    assert read_vectors(path, arrays=("other_words", "other_3d"))[0] == ("c",)
    for choice in ({}, {"dimension": 3}, {"dimension": 4}):
        with pytest.raises(DataError, match="name the arrays"):
            read_vectors(path, **choice)
    for arrays in (("glove_words", "other_3d"), ("glove_6b_2d", "other_3d"), ("x", "y")):
        with pytest.raises(DataError, match="arrays"):
            read_vectors(path, arrays=arrays)


def test_arrays_of_objects_and_infinite_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "o.npz", words=np.array(["a"], object), vectors=np.ones((1, 2)))
    np.savez(tmp_path / "i.npz", words=np.array(["a"]), vectors=np.array([[1, np.inf]]))
    with pytest.raises(DataError, match="cannot be read"):
        read_vectors(tmp_path / "o.npz")
    with pytest.raises(DataError, match="'a' is not finite"):
        read_vectors(tmp_path / "i.npz")


def test_a_single_array_under_the_name_of_an_archive_is_refused(tmp_path):
    with open(tmp_path / "v.npz", "wb") as stream:
        np.save(stream, MATRIX)
    with pytest.raises(DataError, match="cannot be read"):
        read_vectors(tmp_path / "v.npz")
