"""What is asked at one time is run at one time; nobody waits for ever, nobody fails for another."""

import asyncio
import threading

import pytest

from n2r_jax.serve.batching import Batcher, Busy


def squares(batches, hold=None):
    """Square numbers; a negative one cannot be answered. Keeps every batch, waits for `hold`."""

    def run(numbers):
        batches.append(list(numbers))
        if hold is not None:
            hold.wait(5)
        return [n * n if n >= 0 else ValueError(str(n)) for n in numbers]

    return run


async def together(batcher, numbers):
    async with batcher.running():
        asked = (batcher.submit(number) for number in numbers)
        return await asyncio.gather(*asked, return_exceptions=True)


def test_everyone_gets_their_own_answer_in_few_batches():
    batches = []
    batcher = Batcher(squares(batches), size=8, window=0.01, waiting=64)
    found = asyncio.run(together(batcher, range(20)))
    assert found == [n * n for n in range(20)]
    assert [len(batch) for batch in batches] == [8, 8, 4]


def test_an_item_that_fails_fails_alone():
    batcher = Batcher(squares([]), size=8, window=0.01, waiting=64)
    found = asyncio.run(together(batcher, [1, -2, 3]))
    assert found[::2] == [1, 9] and isinstance(found[1], ValueError)


def test_a_batch_that_breaks_is_told_to_all_and_the_next_one_runs():
    calls = []

    def run(numbers):
        calls.append(numbers)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return numbers

    batcher = Batcher(run, size=2, window=0.01, waiting=64)
    found = asyncio.run(together(batcher, [1, 2, 3]))
    assert [str(f) for f in found] == ["broken", "broken", "3"]


async def _too_many(batcher, hold):
    async with batcher.running():
        first = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0.05)  # under way
        waiting = [asyncio.create_task(batcher.submit(n)) for n in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await batcher.submit(4)
        waiting[0].cancel()
        hold.set()
        return await first, await waiting[1]


def test_more_than_may_wait_is_refused_and_what_is_given_up_is_not_run():
    batches, hold = [], threading.Event()
    batcher = Batcher(squares(batches, hold), size=8, window=0, waiting=2)
    assert asyncio.run(_too_many(batcher, hold)) == (1, 9)
    assert batches == [[1], [3]]


async def _left(batcher, hold):
    async with batcher.running():
        asked = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
        await asyncio.sleep(0.05)
        hold.set()
    return await asyncio.gather(*asked, return_exceptions=True)


def test_nobody_waits_for_a_server_that_stops():
    hold = threading.Event()
    batcher = Batcher(squares([], hold), size=1, window=0, waiting=8)
    found = asyncio.run(asyncio.wait_for(_left(batcher, hold), 5))
    assert isinstance(found[1], asyncio.CancelledError)
