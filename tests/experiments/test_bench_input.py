"""Both sides of the input benchmark run the same steps; the arithmetic on made-up seconds."""

import json

import jax
import numpy as np
import pytest
from rich.console import Console

from experiments import bench_input
from experiments.bench_input import MADE, STREAMED, Case, Result
from experiments.bench_worker import Settings

TINY = Case(
    name="tiny",
    settings=Settings(batch=8, length=32, units=2, embedding=4, vocabulary=50),
    buckets=(16, 32),
    steps=2,
)
ROUNDS = {STREAMED: [0.102, 0.1, 0.202], MADE: [0.1, 0.1, 0.2]}


@pytest.fixture
def fed(monkeypatch):
    """The batches of every turn, in the order in which they were run."""
    turns, run = [], bench_input.run

    def remember(bench, batches, steps):
        turns.append([next(batches) for _ in range(steps)])
        run(bench, iter(turns[-1]), steps)

    monkeypatch.setattr(bench_input, "run", remember)
    monkeypatch.setattr("n2r_jax.runtime.configure", lambda _: None)  # the tests have done so
    return turns


@pytest.mark.slow
def test_every_round_feeds_the_same_batches_to_both_sides_in_turns(fed):
    result = bench_input.measure(TINY, rounds=2)
    assert {side: len(seconds) for side, seconds in result.seconds.items()} == {
        STREAMED: 2,
        MADE: 2,
    }
    assert all(second > 0 for seconds in result.seconds.values() for second in seconds)
    assert result.pipeline > 0
    compiled, rounds = fed[:2], fed[2:]
    assert sorted(batch.tokens.shape[-1] for (batch,) in compiled) == [16, 32]
    assert len(rounds) == 6
    for one, other in zip(rounds[::2], rounds[1::2], strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)
    assert not np.array_equal(rounds[0][0].tokens, rounds[2][0].tokens)


def test_texts_have_the_lengths_of_reviews_in_the_cases_own_size():
    texts = bench_input.make_batches(TINY, count=50).texts
    assert len(texts) == 8 * 52
    assert (texts.lengths.min() >= 1, texts.lengths.max()) == (True, 32)
    assert texts.lengths.mean() == pytest.approx(140 * 32 / 256, abs=1.5)


def test_cost_is_that_of_the_rounds_own_ratios():
    result = Result(TINY, ROUNDS, pipeline=0.001)
    assert result.cost() == pytest.approx(1 - 200 / 202)
    console = Console(width=160)
    with console.capture() as capture:
        console.print(bench_input.table([result]))
    assert "0.990 [0.985, 0.995]" in capture.get()
    assert "1.00 ms a batch (1.0 % of a step)" in capture.get()
    saved = json.loads(json.dumps(bench_input.record([result])))["tiny"]
    assert saved["sides"][STREAMED]["rounds"] == ROUNDS[STREAMED]
    assert saved["cost"] == result.cost()
