"""Times several worker processes against each other within one run, and sums up the ratios.

A worker speaks the protocol of `bench_worker`. Nothing here knows what a worker computes with.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Request = Mapping[str, Any]
Seconds = dict[str, list[float]]


class WorkerError(RuntimeError):
    """A worker died, said nothing in time, or said something that is no answer."""


class Worker:
    """A process that answers requests one at a time; close it, or use it in a `with`."""

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str] | None = None):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (a pipe could fill up)
        self._process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Request, limit: float = 600.0) -> dict[str, Any]:
        """The answer to one request; without one in `limit` seconds the process is killed."""
        late = threading.Event()
        timer = threading.Timer(limit, lambda: (late.set(), self._process.kill()))
        timer.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            raise self._failure(f"said nothing in {limit:g} s" if late.is_set() else None, request)
        try:
            return json.loads(line)
        except json.JSONDecodeError as error:
            raise WorkerError(f"{request} was answered by {line!r}, which is no JSON") from error

    def _failure(self, problem: str | None, request: Request) -> WorkerError:
        """What happened, and what the worker wrote to stderr."""
        code = self._process.wait()
        self._errors.seek(0)
        problem = problem or f"ended with code {code}"
        return WorkerError(f"worker {problem} at {request}; its stderr:\n{self._errors.read()}")

    def close(self) -> None:
        """Ends the process; it has nothing to save."""
        self._process.kill()
        self._process.communicate()  # closes both pipes, even if the last write failed
        self._errors.close()


def interleave(
    workers: Mapping[str, Worker],
    requests: Sequence[Request] | Mapping[str, Sequence[Request]],
    *,
    rounds: int,
    warmup: int = 1,
    limit: float = 600.0,
    pause: float = 0.3,
) -> Seconds:
    """Seconds of each round of each worker; every worker has its turn in every round.

    Args:
        workers: by name; one worker may stand under several names.
        requests: what a round asks, of all workers or by name. A round's seconds are the sum over
            its requests, each counted with the median of its repeats.
        rounds: rounds that count.
        warmup: rounds before them, for compilation and caches.
        limit: seconds for one answer.
        pause: seconds of rest before each turn. OpenMP's threads spin on for up to 0.2 s after
            their work, at the cost of whoever comes next.
    """
    asked = requests if isinstance(requests, Mapping) else dict.fromkeys(workers, requests)
    seconds: Seconds = {name: [] for name in workers}
    for turn in range(warmup + rounds):
        # To and fro, so that a machine that slows down within a round favours nobody.
        for name in list(workers)[:: 1 if turn % 2 == 0 else -1]:
            time.sleep(pause)
            answers = [workers[name].ask(request, limit) for request in asked[name]]
            if turn >= warmup:
                seconds[name].append(sum(float(np.median(one["seconds"])) for one in answers))
    return seconds


@dataclasses.dataclass(frozen=True)
class Summary:
    """One worker beside the reference; a ratio above 1 means faster than the reference."""

    median: float
    quartiles: tuple[float, float]
    ratio_of_medians: float
    median_ratio: float  # of the rounds' own ratios: what drifts from round to round cancels
    ratio_quartiles: tuple[float, float]


def summarize(seconds: Mapping[str, Sequence[float]], reference: str) -> dict[str, Summary]:
    """Medians and ratios to `reference` of each worker's rounds."""
    base = np.asarray(seconds[reference])
    summaries = {}
    for name, values in seconds.items():
        low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
        ratios = np.percentile(base / np.asarray(values), [25, 50, 75]).tolist()
        ratio = float(np.median(base)) / middle
        summaries[name] = Summary(middle, (low, high), ratio, ratios[1], (ratios[0], ratios[2]))
    return summaries
