"""Formats of one file: what is read back is what the run said, whatever the tokens hold."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from n2r_jax.data.hotel import HEADER
from n2r_jax.data.tokenize import tokenize
from n2r_jax.errors import DataError, UserError
from n2r_jax.explain import runs
from n2r_jax.export import FORMATS
from tests.export.made import LABELS, ODD, predicted, target

ROWS = [
    predicted("odd\tid\n1", ODD),
    predicted("nothing", ("fine", "room"), (0, 0), label="neg", gold=(0, 0)),
    predicted("all", ("fine", "room", "here"), (1, 1, 1), gold=(1, 0, 1)),
    predicted("unmarked", ("x", "y"), (0, 1), label="neg", gold=None),
]
PLAIN = ["a_b", "x_y", "_", "naïve", "#", "#_id=3", "😀", '"', "-DOCSTART-", "__", "<b>", "a"]


def written(name, path, rows=tuple(ROWS)):
    notes = FORMATS[name].load()(iter(rows), target(path))
    return path.read_text(encoding="utf-8"), notes


def test_r2a_is_read_as_its_readers_read_it(tmp_path):
    text, (note,) = written("r2a", tmp_path / "x.tsv")
    assert note == "labels are numbers: 0 = neg, 1 = so & so"
    header, *lines = text.removesuffix("\n").split("\n")
    assert header.split("\t")[:4] == HEADER and len(lines) == len(ROWS)
    for line, row in zip(lines, ROWS, strict=True):
        task, label, tokens, flags, scores, gold_label, gold = line.split("\t")
        assert task == "odd_task" and LABELS[int(label)] == row.label
        assert len(tokens.split()) == len(row.given.tokens)
        assert tuple(map(int, flags.split(" "))) == row.mask
        assert tuple(map(float, scores.split(" "))) == row.scores
        assert LABELS[int(gold_label)] == row.given.label
        assert tuple(map(int, gold.split())) == (row.given.rationale or ())
    assert lines[0].split("\t")[2].split(" ") == PLAIN


def test_hatexplain_is_one_object_of_posts(tmp_path):
    posts = json.loads(written("hatexplain", tmp_path / "dataset.json")[0])
    assert list(posts) == [row.given.id for row in ROWS]
    for name, row in zip(posts, ROWS, strict=True):
        post = posts[name]
        assert post["post_id"] == name and tuple(post["post_tokens"]) == row.given.tokens
        (annotator,), (rationale,) = post["annotators"], post["rationales"]
        assert annotator == {"label": row.label, "annotator_id": 0, "target": []}
        assert tuple(rationale) == row.mask and tuple(post["soft_rationales"][0]) == row.scores
        assert post["classification_scores"] == row.probabilities
    assert json.loads(written("hatexplain", tmp_path / "none.json", ())[0]) == {}


def read_iob2(text):
    """Blocks of (remarks, tokens, tags), as a reader of two columns with remarks makes them."""
    assert text.endswith("\n\n")
    for block in text.removesuffix("\n\n").split("\n\n"):
        lines = block.split("\n")
        remarks = dict(line[2:].split("=", 1) for line in lines if "\t" not in line)
        assert all(line.startswith("# ") for line in lines if "\t" not in line)
        tokens, tags = zip(*(line.split("\t") for line in lines if "\t" in line), strict=True)
        yield remarks, tokens, tags


def spans_of_tags(tags):
    """[start, end) of every entity: one begins at each B, and I only ever goes on."""
    found = []
    for place, tag in enumerate(tags):
        if tag == "B-R":
            found.append([place, place + 1])
        elif tag == "I-R":
            assert found and found[-1][1] == place
            found[-1][1] += 1
        else:
            assert tag == "O"
    return tuple(map(tuple, found))


def test_iob2_tags_are_the_spans(tmp_path):
    blocks = list(read_iob2(written("iob2", tmp_path / "x.iob2")[0]))
    assert len(blocks) == len(ROWS) and list(blocks[0][1]) == PLAIN
    for (remarks, tokens, tags), row in zip(blocks, ROWS, strict=True):
        assert len(tokens) == len(row.given.tokens) and spans_of_tags(tags) == row.spans
        assert remarks["label"] == row.label and remarks["gold_label"] == row.given.label
        assert json.loads(remarks["classification_scores"]) == row.probabilities
        if row.given.rationale is None:
            assert "gold" not in remarks
        else:
            gold = [list(span) for span in runs(row.given.rationale)]
            assert json.loads(remarks["gold"]) == gold
    assert blocks[0][0]["id"] == "odd_id_1"


def check_task(task, controls):
    """A task as Label Studio's guide describes it; controls: (type, values) by name."""
    assert task.keys() <= {"data", "predictions", "annotations"}
    text = task["data"]["text"]
    for part in (*task["predictions"], *task.get("annotations", ())):
        assert len({item["id"] for item in part["result"]}) == len(part["result"])
        for item in part["result"]:
            kind, values = controls[item["from_name"]]
            assert item["type"] == kind and item["to_name"] == "text"
            assert item["value"][kind] and set(item["value"][kind]) <= values
            if kind == "labels":
                start, end = item["value"]["start"], item["value"]["end"]
                assert type(start) is type(end) is int and 0 <= start < end <= len(text)
                assert item["value"]["text"] == text[start:end]
    for prediction in task["predictions"]:
        assert isinstance(prediction["model_version"], str) and 0 <= prediction["score"] <= 1


def controls_of(note):
    """Type and values of the controls of the labelling interface in a note."""
    interface = ElementTree.fromstring(note.partition(": ")[2])
    assert interface.find("Text").attrib == {"name": "text", "value": "$text"}
    return {
        tag.get("name"): (tag.tag.lower(), {value.get("value") for value in tag})
        for tag in interface
        if tag.get("toName") == "text"
    }


def marked(part):
    return [
        (i["value"]["start"], i["value"]["end"]) for i in part["result"] if "start" in i["value"]
    ]


def test_label_studio_tasks_are_valid_and_point_into_the_text(tmp_path):
    text, (note,) = written("labelstudio", tmp_path / "x.json")
    tasks, controls = json.loads(text), controls_of(note)
    assert controls["class"] == ("choices", set(LABELS)) and len(tasks) == len(ROWS)
    for task, row in zip(tasks, ROWS, strict=True):
        check_task(task, controls)
        (prediction,) = task["predictions"]
        assert len(marked(prediction)) == len(row.spans)
        for (start, end), (first, behind) in zip(marked(prediction), row.spans, strict=True):
            selected = " ".join(row.given.tokens[first:behind]).replace("\r", " ")
            assert task["data"]["text"][start:end] == selected
        assert prediction["result"][-1]["value"] == {"choices": [row.label]}
        if row.given.rationale is None:
            assert "annotations" not in task
        else:
            (annotation,) = task["annotations"]
            assert len(marked(annotation)) == len(list(runs(row.given.rationale)))
    assert json.loads(written("labelstudio", tmp_path / "none.json", ())[0]) == []


def test_label_studio_shows_the_text_as_it_was_given(tmp_path):
    """Offsets count code points, an emoji is one; "\r\n" keeps two places."""
    given = "Lovely 😀  décor,\r\nbut don't  sleep!"
    tokens = tokenize(given)[0]
    mask = [int(token in ("décor", ",", "but", "sleep")) for token in tokens]
    row = predicted("t", tokens, mask, text=given, gold=None, label="neg")
    (task,) = json.loads(written("labelstudio", tmp_path / "x.json", [row])[0])
    shown = task["data"]["text"]
    assert len(shown) == len(given) and shown == given.replace("\r", " ")
    found = [shown[a:b].split() for a, b in marked(task["predictions"][0])]
    assert found == [["décor,", "but"], ["sleep"]]


def test_a_question_is_shown_with_its_answers(tmp_path):
    choices = (("dark", "red"), ("a\tb",))
    row = predicted("q", ("which", "?"), (1, 0), gold=None, choices=choices)
    text, (note,) = written("labelstudio", tmp_path / "x.json", [row])
    assert json.loads(text)[0]["data"]["answers"] == "neg: dark red\nso & so: a\tb"
    assert 'name="answers" value="$answers"' in note and controls_of(note)
    ((remarks, _, _),) = read_iob2(written("iob2", tmp_path / "x.iob2", [row])[0])
    assert json.loads(remarks["choices"]) == ["dark red", "a\tb"]


def test_an_empty_token_alone_is_no_region(tmp_path):
    row = predicted("e", ("a", "", "b"), (0, 1, 0), gold=None)
    (task,) = json.loads(written("labelstudio", tmp_path / "x.json", [row])[0])
    assert task["data"]["text"] == "a  b" and not marked(task["predictions"][0])
    assert "\n_\tB-R\n" in written("iob2", tmp_path / "x.iob2", [row])[0]


ONE_FILE = ("r2a", "hatexplain", "iob2", "labelstudio")


@pytest.mark.parametrize("name", ONE_FILE)
def test_what_is_there_stays_unless_told(tmp_path, name):
    path, write = tmp_path / "deep" / "x", FORMATS[name].load()
    write(ROWS, target(path))
    first = path.read_bytes()
    with pytest.raises(UserError, match="exists already; name another --out, or add --overwrite"):
        write(ROWS[:1], target(path))
    with pytest.raises(UserError, match="is a directory"):
        write(ROWS, target(tmp_path, overwrite=True))
    assert path.read_bytes() == first
    write(ROWS[:1], target(path, overwrite=True))
    assert len(path.read_bytes()) < len(first) and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("name", ONE_FILE)
def test_a_failure_half_way_leaves_nothing(tmp_path, name):
    def failing():
        yield ROWS[0]
        raise UserError("row 2 is bad")

    with pytest.raises(UserError, match="row 2 is bad"):
        FORMATS[name].load()(failing(), target(tmp_path / "x"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        FORMATS[name].load()(ROWS, target(tmp_path / "file" / "x"))
