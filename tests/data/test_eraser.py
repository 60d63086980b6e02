"""ERASER directories: tokens, offsets and unions as the benchmark's scorer counts them."""

import json

import pytest

from n2r_jax.data.check import check_files
from n2r_jax.data.eraser import Reading, is_eraser, read_eraser, scan_eraser
from n2r_jax.data.records import Record, Source
from n2r_jax.errors import BadRows, DataError, UserError

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


def test_the_query_is_the_second_text_of_a_pair_when_asked_for(tmp_path):
    row = annotation(evidences=[[evidence("a", 0, 1)]])
    record = read_eraser(write_eraser(tmp_path, [row]), "val", reading=Reading("query"))[0]
    assert record == Record("r1", ("dull", "is", "it"), 0, (1, 0, 0), second=1)


def test_premise_and_hypothesis_are_a_pair_whichever_of_them_is_named(tmp_path):
    spans = [[evidence("x_hypothesis", 1, 2)], [evidence("x_premise", 0, 1)]]
    rows = [
        annotation("r1", evidences=spans),
        annotation("r2", evidences=spans[:1]),
        annotation("r3", evidences=[], docids=["x_premise"]),
    ]
    folder = write_eraser(tmp_path, rows)
    (folder / "docs" / "x_premise").write_text("a man sings\n")
    (folder / "docs" / "x_hypothesis").write_text("nobody sings\n")
    source = read_eraser(folder, "val", reading=Reading("hypothesis"))
    tokens = ("a", "man", "sings", "nobody", "sings")
    assert source[0] == Record("r1", tokens, 0, (1, 0, 0, 0, 1), second=3)
    assert source[1].rationale == (0, 0, 0, 0, 1)
    assert [record.tokens for record in source] == [tokens] * 3
    rows = [annotation(docids=["x_premise", "y_hypothesis"])]
    with pytest.raises(BadRows, match="one NAME_premise and one NAME_hypothesis"):
        read_eraser(write_eraser(folder, rows), "val", reading=Reading("hypothesis"))


def test_a_query_of_choices_makes_a_question(tmp_path):
    rows = [annotation("a", classification="B", query="new york [sep] rome [sep] oslo")]
    folder = write_eraser(tmp_path, rows)
    source = read_eraser(folder, "val", reading=Reading("choices"))
    assert source.label_names == ("A", "B", "C")
    choices = (("new", "york"), ("rome",), ("oslo",))
    assert source[0] == Record("a", ("dull",), 1, (0,), choices=choices)
    with pytest.raises(BadRows, match="the query is no list of answers"):
        read_eraser(write_eraser(folder, [annotation("a")]), "val", reading=Reading("choices"))


@pytest.mark.parametrize(
    ("do", "rationales"),
    [("keep", [(0,), (1,)]), ("unmarked", [None, (1,)]), ("drop", [(1,)])],
)
def test_rows_without_evidence_are_counted_and_treated_as_asked(tmp_path, caplog, do, rationales):
    rows = [annotation("a"), annotation("b", docids=["a"], evidences=[[evidence("a", 0, 1)]])]
    rows[1]["classification"] = "NEG"
    folder = write_eraser(tmp_path, rows)
    source = read_eraser(folder, "val", reading=Reading(without_evidence=do))
    assert [record.rationale for record in source] == rationales
    # Joined by id: what is dropped shifts no label.
    assert [(r.id, source.label_names[r.label]) for r in source][-1] == ("b", "NEG")
    assert "1 of 2 rows have no evidence" in caplog.text


def test_the_authors_alignment_counts_places_in_every_sentence_anew(tmp_path):
    spans = [(1, 2), (5, 7), (4, 6)]  # in the first sentence, in the second, across its beginning
    rows = [annotation(f"r{s}", evidences=[[evidence("b", *s)]]) for s in spans]
    folder = write_eraser(tmp_path, rows)
    authors = read_eraser(folder, "val", reading=Reading(movies_alignment="authors"))
    marked = [[i for i, gold in enumerate(r.rationale) if gold] for r in authors]
    assert marked == [[1], [0, 1], []]


def test_a_reading_that_there_is_not_is_told():
    with pytest.raises(UserError, match=r"config\.data\.second is 'querry'; it must be one of "):
        Reading("querry")


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
        read_eraser(folder, "val", reading=Reading("query"))


def test_labels_may_be_given(tmp_path):
    folder = write_eraser(tmp_path, [annotation("a")])
    assert read_eraser(folder, "val", ("NEG", "POS"))[0].label == 1
    with pytest.raises(BadRows, match="label 'POS' is not in the label set; use one of 'NEG'"):
        read_eraser(folder, "val", ("NEG",))


def test_directories_that_are_not_eraser_are_refused(tmp_path):
    folder = write_eraser(tmp_path / "x", [annotation("a")])
    with pytest.raises(DataError, match=r"no train split: there is no train\.jsonl"):
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


def test_check_tells_rows_of_one_document_apart_by_their_queries(tmp_path):
    rows = [annotation(name, docids=["a"], query=name) for name in ("who", "where")]
    folder = write_eraser(tmp_path, rows)
    for reading, duplicates, pairs in ((Reading(), 1, 0), (Reading("query"), 0, 2)):
        (file,) = check_files([folder], reading).files
        assert (file.duplicates, file.pairs) == (duplicates, pairs)
