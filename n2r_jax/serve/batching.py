"""Concurrent requests become one model call.

While the model runs, requests queue; when it is done, all that wait (up to a batch) go together.
So the batch is as large as the load, and a single request waits for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Found = TypeVar("Found")
Run = Callable[[Sequence[Asked]], Sequence[Found | Exception]]
"""A batch in, as many results out; an item that cannot be answered has its exception there."""


class Busy(Exception):
    """More is waiting than may wait."""


class Batcher(Generic[Asked, Found]):
    """Gathers what is submitted on an event loop and runs it in batches on one other thread."""

    def __init__(self, run: Run, *, size: int, window: float, waiting: int):
        """Run batches of up to `size`, a `window` of seconds after the first of each came.

        waiting: so many items may wait; Busy is raised for more.
        """
        self._run, self._size, self._window, self._most = run, size, window, waiting
        self._queue: asyncio.Queue[tuple[Asked, asyncio.Future[Found]]] = asyncio.Queue(waiting)

    @contextlib.asynccontextmanager
    async def running(self):
        """Batches are run inside; what still waits at the end is cancelled."""
        self._queue = asyncio.Queue(self._most)  # a queue belongs to one event loop
        with ThreadPoolExecutor(1, thread_name_prefix="model") as thread:
            task = asyncio.create_task(self._serve(thread))
            try:
                yield self
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                while not self._queue.empty():
                    self._queue.get_nowait()[1].cancel()

    async def submit(self, asked: Asked) -> Found:
        """The result for one item; raises its exception, or Busy at once."""
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((asked, future))
        except asyncio.QueueFull:
            raise Busy from None
        return await future

    async def _serve(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            first = await self._queue.get()
            if self._window:
                await asyncio.sleep(self._window)
            batch = [pair for pair in (first, *self._waiting()) if not pair[1].done()]
            if not batch:  # all have given up
                continue
            try:
                found = await loop.run_in_executor(thread, self._run, [a for a, _ in batch])
            except Exception as error:
                found = [error] * len(batch)
            except asyncio.CancelledError:  # the server stops
                for _, future in batch:
                    future.cancel()
                raise
            for (_, future), result in zip(batch, found, strict=True):
                _settle(future, result)

    def _waiting(self) -> list[tuple[Asked, asyncio.Future[Found]]]:
        count = min(self._queue.qsize(), self._size - 1)
        return [self._queue.get_nowait() for _ in range(count)]


def _settle(future: asyncio.Future, result: object) -> None:
    if future.done():  # whoever asked has given up meanwhile
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
