"""The load test counts whole answers, under the load that it names."""

import asyncio
from urllib.parse import urlsplit

import pytest

from experiments import load_serve
from tests.serve import served


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(load_serve, "WARM", 0.05)


@pytest.fixture(scope="module")
def port():
    with served.listening(served.app()) as url:
        yield urlsplit(url).port


def test_so_many_clients_ask_all_the_time_and_every_answer_counts(port):
    case = load_serve.Case("some", 3, {"faithfulness": True})
    asyncio.run(load_serve.measure(case, port, 5.0))  # whatever is compiled late is compiled now
    found = asyncio.run(load_serve.measure(case, port, 2.0))
    assert found["clients"] == 3 and found["requests"] > 3
    assert found["requests_a_second"] == found["requests"] / 2.0
    assert 0 < found["median"] <= found["p95"] <= found["p99"] <= found["largest"]
    assert load_serve.table({case.name: found}).row_count == 1


def test_an_answer_that_is_none_ends_the_test(port):
    case = load_serve.Case("wrong", 2, {"sparsity": 2})
    with pytest.raises(RuntimeError, match=r"answered HTTP/1[.]1 422"):
        asyncio.run(load_serve.measure(case, port, 0.2))


def test_reviews_have_the_lengths_of_real_ones():
    lengths = [len(text.split()) for text in load_serve.reviews()]
    assert len(lengths) == load_serve.REVIEWS and 120 < sum(lengths) / len(lengths) < 160
    assert max(lengths) <= 256
