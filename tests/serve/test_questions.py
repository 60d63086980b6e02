"""A run that chooses among answers: each is a row of its own, and a question is answered once."""

import json

import numpy as np
import pytest
from starlette.testclient import TestClient

import n2r_jax
from n2r_jax.data.records import Record
from n2r_jax.data.rows import Parts
from n2r_jax.explain import Units
from n2r_jax.faithful import masked_predictor
from n2r_jax.serve.model import Asked
from tests.serve import served

COLOURS = ("red", "blue", "green", "grey")
CHOICES = [(("blue",), ("red",), ("dark", "green")), (("a",) * 30, ("red",), ("grey",))]
ASKED = [
    Parts(("which", "is", COLOURS[i % 4], "?") * (1 + i), choices=CHOICES[i % 2]) for i in range(7)
]
UNITS = [Units(parts) for parts in ASKED]
QUESTION = {"text": "which is red ?", "choices": ["blue", "red", ["dark green", "?"]]}


@pytest.fixture(scope="module")
def client():
    with TestClient(served.app(served.served_questions), base_url="http://localhost") as made:
        yield made


@pytest.fixture(scope="module")
def run():
    return n2r_jax.load(served.served_questions().trained.run.path)


def test_it_explains_as_the_run_does(run):
    found = served.served_questions()([Asked(units) for units in UNITS])
    for one, wanted in zip(found, run.explain_units(UNITS), strict=True):
        own = one.explanation
        assert (own.label, own.mask) == (wanted.label, wanted.mask)
        assert own.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)
        assert [c.answer_mask for c in own.choices] == [c.answer_mask for c in wanted.choices]


def test_every_answers_row_loses_its_own_rationale():
    found = served.served_questions()([Asked(units, 0.3, True) for units in UNITS[:2]])
    trained = served.served_questions().trained
    texts = trained.encode([Record("", p.tokens, 0, choices=p.choices) for p in ASKED[:2]])
    valid = np.arange(32)[None] < texts.lengths[:, None]
    whole = masked_predictor(trained)(texts, valid)
    for place, one in enumerate(found):
        assert list(one.faithfulness.whole.values()) == pytest.approx(whole[3 * place], abs=1e-5)
        assert one.explanation.probabilities == one.faithfulness.rationale
    share = served.served_questions()([Asked(UNITS[0], 1.0, True)])[0]
    assert share.faithfulness.sufficiency == pytest.approx(0, abs=1e-6)
    assert all(
        sum(c.mask) + sum(c.answer_mask) == 4 + len(c.tokens) for c in share.explanation.choices
    )


def test_a_question_is_asked_and_answered(client):
    found = client.post("/explain", json=QUESTION | {"faithfulness": True, "sparsity": 0.5}).json()
    best = found["choices"][int(found["label"])]
    assert best["mask"] == found["mask"] and len(found["choices"]) == 3
    assert found["choices"][2]["tokens"] == ["dark green", "?"]
    selected = [*best["mask"], *best["answer_mask"]]
    assert found["sparsity"] == sum(selected) / len(selected)
    assert client.get("/about").json()["choices"] == 3


def test_the_description_says_how_many_answers(client):
    schema = client.get("/openapi.json").json()["components"]["schemas"]["QuestionWithChoices"]
    choices = schema["properties"]["choices"]
    assert choices["minItems"] == choices["maxItems"] == 3
    assert "choices" in schema["required"] and "second" not in schema["properties"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"text": "which ?"}, "choices: Field required"),
        (QUESTION | {"choices": ["a", "b"]}, "choices: List should have at least 3 items"),
        (QUESTION | {"choices": ["a", "b", " "]}, "choice is empty"),
        (QUESTION | {"choices": ["a", "b", "c d " * 5000]}, "a text of 10006 tokens"),
        (QUESTION | {"choices": ["a", "b", "c" * 50_001]}, "at most 50000 characters"),
        (QUESTION | {"second": "a"}, "second: Extra inputs"),
    ],
)
def test_what_is_no_question_of_this_run_is_refused(client, fields, told):
    response = client.post("/explain", json=fields)
    assert response.status_code == 422 and told in response.json()["detail"]


def test_a_file_of_questions(client):
    lines = [QUESTION | {"id": "a"}, {"text": "which ?"}, QUESTION | {"choices": ["a", "b"]}]
    good = client.post("/explain/rows", content=json.dumps(lines[0]).encode()).json()["rows"]
    assert [row["id"] for row in good] == ["a"] and len(good[0]["choices"]) == 3
    bad = client.post("/explain/rows", content="\n".join(map(json.dumps, lines)).encode())
    assert bad.status_code == 422
    assert (
        "line 2: no choices; give what the run was trained on: questions of 3 choices" in bad.text
    )
    assert "line 3: 2 choices" in bad.text


def test_texts_for_a_run_that_knows_no_questions():
    with TestClient(served.app(), base_url="http://localhost") as client:
        rows = client.post("/explain/rows", content=json.dumps(QUESTION).encode())
    assert "line 1: 3 choices; give what the run was trained on: texts without" in rows.text
