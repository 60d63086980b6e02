"""The endpoints: what they answer, and how they refuse what is hostile or mistaken."""

import asyncio
import dataclasses
import http.client
import json
import threading
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from n2r_jax.serve.app import make_app
from n2r_jax.serve.limits import LIMITS
from tests import tiny
from tests.serve import served

TEXT = "The staff were rude, but the  room — naïve décor 🛏 — was lovely!"
SCRIPT = '<script>alert(1)</script> <img src=x onerror=alert(2)> & "quoted"'
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client():
    with TestClient(served.app(), base_url="http://localhost") as made:
        yield made


def test_a_text_is_explained(client):
    response = client.post("/explain", json={"text": TEXT, "sparsity": 0.3, "faithfulness": True})
    found = response.json()
    assert response.status_code == 200
    assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert sum(found["mask"]) == round(0.3 * len(found["tokens"])) > 0
    assert found["sparsity"] == sum(found["mask"]) / len(found["mask"])
    for (start, end), (a, b) in zip(found["spans"], found["char_spans"], strict=True):
        assert TEXT[a:b].startswith(found["tokens"][start])
        assert TEXT[a:b].endswith(found["tokens"][end - 1])
    assert set(found["faithfulness"]) >= {"comprehensiveness", "sufficiency", "whole", "rest"}


def test_tokens_stay_as_they_are_and_what_is_not_there_is_left_out(client):
    found = client.post("/explain", json={"tokens": ["The staff", "were", "rude"]}).json()
    assert found["tokens"] == ["The staff", "were", "rude"]
    assert not {"text", "char_spans", "faithfulness"} & set(found)


def test_concurrent_questions_get_their_own_answers_in_few_calls(monkeypatch):
    sizes, run = [], served.served_run()

    class Counting:
        trained, shapes = run.trained, run.shapes

        def __call__(self, asked):
            sizes.append(len(asked))
            return run(asked)

    texts = [f"The staff number {i} were rude" + " indeed" * i for i in range(20)]
    with TestClient(make_app(Counting()), base_url="http://localhost") as client:
        alone = [client.post("/explain", json={"text": text}).json() for text in texts]
        del sizes[:]
        found = [None] * len(texts)

        def ask(i):
            found[i] = client.post("/explain", json={"text": texts[i]}).json()

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(texts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one["tokens"] for one in found] == [one["tokens"] for one in alone]
    for one, wanted in zip(found, alone, strict=True):
        assert one["scores"] == pytest.approx(wanted["scores"], abs=1e-5)
    assert sum(sizes) == 20 and len(sizes) < 20


def test_a_file_is_explained_row_by_row(client, tmp_path):
    body = tiny.write_rows(tmp_path / "rows.jsonl", "test", 40).read_bytes()
    response = client.post("/explain/rows?sparsity=0.2", content=b"\xef\xbb\xbf" + body + b"\n\n")
    rows = response.json()["rows"]
    given = [json.loads(line) for line in body.splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in given]
    assert [row["tokens"] for row in rows] == [row["tokens"] for row in given]
    assert all(0 < sum(row["mask"]) < len(row["mask"]) for row in rows)


def test_all_bad_rows_of_a_file_are_named(client):
    body = b'{"text": "fine"}\n{"text": ""}\n{broken\n\xff\xfe\n[1]\n{"tokens": "x"}\n'
    response = client.post("/explain/rows", content=body)
    detail = response.json()["detail"]
    assert response.status_code == 422
    assert [f"line {i}:" in detail for i in range(1, 7)] == [False, *[True] * 5]


def test_a_file_of_too_many_rows_or_of_none_is_refused(client):
    many = client.post("/explain/rows", content=b'{"text": "a"}\n' * (LIMITS.rows + 1))
    none = client.post("/explain/rows", content=b"\n\n")
    assert many.status_code == none.status_code == 422
    assert "more than 1000 rows" in many.json()["detail"] and "no row" in none.json()["detail"]


HOSTILE = {
    "10 MB": (b'{"text": "' + b"a" * 10**7 + b'"}', 413),
    "10 MB that is no JSON": (b"\x00" * 10**7, 413),
    "invalid UTF-8": (b'{"text": "caf\xe9"}', 400),
    "half a surrogate pair": (rb'{"text": "fine \ud800"}', 422),
    "half a pair in tokens": (rb'{"tokens": ["\udfff"]}', 422),
    "half a pair as a field": (rb'{"text": "fine", "\ud800": 1}', 422),
    "1e5 tokens": (json.dumps({"tokens": ["a"] * 10**5}).encode(), 422),
    "1e5 words": (json.dumps({"text": "a " * 10**5}).encode(), 422),
    "signs that are each a token": (json.dumps({"text": "!" * 10_001}).encode(), 422),
    "no JSON": (b"text=fine", 422),
    "nothing": (b"", 422),
    "a list": (b'["fine"]', 422),
    "null": (b"null", 422),
    "deep": (b'{"text":' * 10**5, 400),
    "a number of 10,000 digits": (b'{"text": ' + b"9" * 10**4 + b"}", 400),
    "a number as text": (b'{"text": 5}', 422),
    "null as text": (b'{"text": null}', 422),
    "text and tokens": (b'{"text": "a", "tokens": ["a"]}', 422),
    "neither": (b'{"faithfulness": true}', 422),
    "blank": (b'{"text": " \\n"}', 422),
    "a blank token": (b'{"tokens": ["a", " "]}', 422),
    "tokens of numbers": (b'{"tokens": [1, 2]}', 422),
    "an unknown field": (b'{"text": "a", "temperature": 1}', 422),
    "NaN": (b'{"text": "a", "sparsity": NaN}', 422),
    "infinity": (b'{"text": "a", "sparsity": 1e999}', 422),
    "a share of 0": (b'{"text": "a", "sparsity": 0}', 422),
    "a share above 1": (b'{"text": "a", "sparsity": 1.5}', 422),
    "yes": (b'{"text": "a", "faithfulness": "yes"}', 422),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_mistaken_questions_get_one_line(client, name):
    body, status = HOSTILE[name]
    response = client.post("/explain", content=body, headers=JSON)
    detail = response.json()["detail"]
    assert response.status_code == status, detail
    assert isinstance(detail, str) and 0 < len(detail) < 400 and "\n" not in detail
    assert client.post("/explain", json={"text": "fine"}).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_who_sends_10_mb_to_a_real_server_reads_why_it_is_refused(chunked):
    """Not a reset connection: the server takes in what it drops."""
    body = b"a" * 10**7
    parts = iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
    with served.listening(served.app()) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        sent = parts if chunked else body
        connection.request("POST", "/explain", sent, JSON, encode_chunked=chunked)
        response = connection.getresponse()
        assert response.status == 413 and b"at most 4194304 bytes" in response.read()
        connection.close()


def test_markup_comes_back_as_text_in_json_alone(client):
    response = client.post("/explain", json={"text": SCRIPT})
    assert response.status_code == 200 and response.json()["text"] == SCRIPT
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_page_loads_nothing_from_elsewhere_and_runs_its_own_script_alone(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy and "unsafe" not in policy and "http" not in page.text
    for path in ("/static/page.js", "/static/page.css", "/docs", "/openapi.json"):
        found = client.get(path)
        assert found.status_code == 200, path
        assert "cdn" not in found.text
    script = client.get("/static/page.js").text
    assert "innerHTML" not in script and "eval(" not in script


def test_who_calls_it_by_another_name_is_refused(client):
    """A page elsewhere may point its own name to 127.0.0.1."""
    response = client.post("/explain", json={"text": "a"}, headers={"host": "evil.example"})
    assert response.status_code == 400


def test_about_tells_run_and_limits(client):
    found = client.get("/about").json()
    assert found["labels"] == ["negative", "positive"] and found["method"] == "n2r_mmi"
    assert found["predicts_from"] == "rationale" and found["max_length"] == 32
    assert found["limits"] == dataclasses.asdict(LIMITS)


async def _silent(scope, receive, send):
    await asyncio.sleep(60)


def _through(guard, messages):
    """What a guard sends for a request that arrives in these messages, the last one never."""
    sent = []

    async def receive():
        if messages:
            return messages.pop(0)
        return await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/explain", "method": "POST", "headers": []}
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 10))
    return sent


@pytest.mark.parametrize(
    ("more", "status", "told"), [(True, 408, "to arrive"), (False, 503, "no answer within 0.05 s")]
)
def test_what_takes_too_long_is_given_up(more, status, told):
    from n2r_jax.serve.guards import Guard

    guard = Guard(_silent, dataclasses.replace(LIMITS, seconds=0.05))
    sent = _through(guard, [{"type": "http.request", "body": b"{", "more_body": more}])
    assert sent[0]["status"] == status and told in sent[1]["body"].decode()


def test_who_has_gone_gets_nothing():
    from n2r_jax.serve.guards import Guard

    assert _through(Guard(_silent, LIMITS), [{"type": "http.disconnect"}]) == []


def test_more_than_may_wait_is_told(monkeypatch):
    from n2r_jax.serve.batching import Batcher, Busy

    async def full(self, asked):
        raise Busy

    monkeypatch.setattr(Batcher, "submit", full)
    with TestClient(served.app(), base_url="http://localhost") as client:
        response = client.post("/explain", json={"text": "fine"})
    assert response.status_code == 503 and "ask again" in response.json()["detail"]
