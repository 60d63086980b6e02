"""ERASER directories: tokens, offsets and unions as the benchmark's scorer counts them."""

import json

import pytest

from n2r_jax.data.eraser import is_eraser, read_eraser, scan_eraser
from n2r_jax.data.records import Record, Source
from n2r_jax.errors import BadRows, DataError

DOCUMENTS = {"b": "the film is good .\n\n  truly  good\n", "a": "dull\n", "empty": "\n"}


def evidence(docid, start, end):
    spare = {"text": "...", "start_sentence": -1, "end_sentence": -1}
    return {"docid": docid, "start_token": start, "end_token": end} | spare


def annotation(name="r1", evidences=(), **fields):
    row = {"annotation_id": name, "query": "is it", "classification": "POS", "query_type": None}
    return row | {"evidences": [list(group) for group in evidences]} | fields


def write_eraser(folder, rows, split="val"):
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text)
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_rationale_is_the_union_of_all_evidences(tmp_path):
    groups = [[evidence("b", 3, 5), evidence("b", 4, 6)], [evidence("b", 3, 4)]]
    folder = write_eraser(tmp_path, [annotation(evidences=groups)])
    source = read_eraser(folder, "val")
    assert isinstance(source, Source)
    tokens = ("the", "film", "is", "good", ".", "truly", "good")
    assert source[0] == Record("r1", tokens, 0, (0, 0, 0, 1, 1, 1, 0))
    assert read_eraser(folder, "dev").fingerprint == source.fingerprint


def test_documents_are_joined_in_docid_order(tmp_path):
    row = annotation(evidences=[[evidence("b", 0, 2)], [evidence("a", 0, 1)]])
    record = read_eraser(write_eraser(tmp_path, [row]), "val")[0]
    assert record.tokens[:3] == ("dull", "the", "film")
    assert record.rationale == (1, 1, 1, 0, 0, 0, 0, 0)


def test_documents_come_from_docids_or_the_annotation_id(tmp_path):
    rows = [annotation("x", docids=["b", "a"]), annotation("a")]
    source = read_eraser(write_eraser(tmp_path, rows), "val")
    assert source[0].tokens[0] == "dull" and len(source[0].tokens) == 8
    assert source[1] == Record("a", ("dull",), 0, (0,))


def test_no_evidences_field_means_no_annotation(tmp_path):
    source = read_eraser(
        write_eraser(tmp_path, [annotation("a", evidences=[]) | {"evidences": None}]), "val"
    )
    assert source[0].rationale is None


def test_the_query_comes_first_when_asked_for(tmp_path):
    row = annotation(evidences=[[evidence("a", 0, 1)]])
    record = read_eraser(write_eraser(tmp_path, [row]), "val", include_query=True)[0]
    assert record == Record("r1", ("is", "it", "[SEP]", "dull"), 0, (0, 0, 0, 1))


def test_docs_jsonl_keeps_empty_tokens_so_that_offsets_hold(tmp_path):
    (tmp_path / "docs.jsonl").write_text(json.dumps({"docid": "d", "document": "a  b\n c"}) + "\n")
    row = annotation("d", evidences=[[evidence("d", 2, 3)]])
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n")
    assert read_eraser(tmp_path, "test")[0] == Record("d", ("a", "", "b", "c"), 0, (0, 0, 1, 0))


BAD = [
    (annotation(evidences=[[evidence("b", 5, 8)]]), r"span \[5, 8\] .* document 'b'"),
    (annotation(evidences=[[evidence("b", -1, -1)]]), "empty or outside"),
    (annotation(docids=["../val.jsonl"]), "no document '../val.jsonl'"),
    (annotation(docids=["a"], evidences=[[evidence("b", 0, 1)]]), "'b', which is not among"),
    (annotation(docids=[["a"]]), "docids are not strings"),
    (annotation(docids=["empty"]), "its documents are empty"),
    (annotation(docids=["a"], classification=None), "no label"),
    (annotation(name=None), "no annotation_id"),
    (annotation(evidences=[[{"docid": "b"}]]), "evidences cannot be read"),
    (annotation(evidences=[[evidence(["b"], 0, 1)]]), "docid is not a string"),
    (annotation("a"), "id 'a' again"),
    (["a"], "not an object"),
]


@pytest.mark.parametrize(("row", "problem"), BAD)
def test_bad_rows_name_file_and_line(tmp_path, row, problem):
    folder = write_eraser(tmp_path, [annotation("a"), row])
    with pytest.raises(BadRows, match=rf"val\.jsonl, line 2: .*{problem}"):
        read_eraser(folder, "val")
    assert len(scan_eraser(folder, "val").source) == 1


def test_a_missing_query_is_an_error_only_when_asked_for(tmp_path):
    folder = write_eraser(tmp_path, [annotation("a", query="")])
    assert len(read_eraser(folder, "val")) == 1
    with pytest.raises(BadRows, match="no query"):
        read_eraser(folder, "val", include_query=True)


def test_labels_may_be_given(tmp_path):
    folder = write_eraser(tmp_path, [annotation("a")])
    assert read_eraser(folder, "val", ("NEG", "POS"))[0].label == 1
    with pytest.raises(BadRows, match="label 'POS' is not in the label set; use one of 'NEG'"):
        read_eraser(folder, "val", ("NEG",))


def test_directories_that_are_not_eraser_are_refused(tmp_path):
    folder = write_eraser(tmp_path / "x", [annotation("a")])
    with pytest.raises(DataError, match=r"train\.jsonl: no such file"):
        read_eraser(folder, "train")
    with pytest.raises(DataError, match="no such directory"):
        read_eraser(tmp_path / "y", "val")
    (folder / "docs.jsonl").write_text("")
    with pytest.raises(DataError, match=r"both docs/ and docs\.jsonl"):
        read_eraser(folder, "val")
    with pytest.raises(DataError, match=r"neither docs/ nor docs\.jsonl"):
        read_eraser(tmp_path, "val")
    assert is_eraser(folder) and not is_eraser(tmp_path)


def test_bad_lines_of_docs_jsonl_are_named(tmp_path):
    (tmp_path / "docs.jsonl").write_text('{"docid": "d", "document": "a"}\n{"docid": "e"}\n')
    (tmp_path / "val.jsonl").write_text("")
    with pytest.raises(DataError, match=r"docs\.jsonl, line 2: no docid or no document"):
        read_eraser(tmp_path, "val")
