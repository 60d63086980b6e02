"""How long `n2r serve` takes to answer 20 who ask at one time, without pause.

    python -m experiments.load_serve          (--run DIR: a run of your own; --seconds 10 a case)

The server is a process of its own, as users start it. Every client sends a review, waits for the
answer and sends the next one: 20 requests are always under way. Reviews have the lengths of real
ones (about 140 tokens, up to 256); the model is the papers' GRU of 2 x 100 units. Server and
clients share the cores. Writes bench/serve-<cpu>.json; 1 if the bound does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench import REPO, busy, slug
from experiments.bench_lengths import review_lengths
from experiments.bench_machine import machine

PACKAGES = ("jax", "numpy", "fastapi", "starlette", "uvicorn", "httptools", "uvloop")
BOUND = 0.050
"""Seconds that the median review may take with 20 clients."""
REVIEWS = 512
WARM = 1.0
"""Seconds before counting."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What is asked, and by how many at a time."""

    name: str
    clients: int
    question: dict[str, Any]
    bounded: bool = False


CASES = (
    Case("one client", 1, {}),
    Case("20 clients", 20, {}, bounded=True),
    Case("20 clients, best-scored 20 %", 20, {"sparsity": 0.2}),
    Case(
        "20 clients, with faithfulness (as the page asks)", 20, {"faithfulness": True}, bounded=True
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load test; 1 if the bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="default: the papers' sizes, trained for a few steps")
    parser.add_argument("--seconds", type=float, default=10, help="of a case (default 10)")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/serve-<cpu>.json")
    options = parser.parse_args(arguments)
    console, found, load = Console(), machine(PACKAGES), os.getloadavg()[0]
    if warning := busy(load, found["cores"]):
        console.print(warning, style="yellow")
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or made_run(pathlib.Path(folder) / "run")
        with serving(run) as port:
            results = {c.name: asyncio.run(measure(c, port, options.seconds)) for c in CASES}
    console.print(table(results))
    out = options.out or REPO / "bench" / f"serve-{slug(found['cpu'])}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    noted = {"machine": found, "load_before": load, "bound": BOUND, "cases": results}
    out.write_text(json.dumps(noted, indent=2) + "\n")
    console.print(f"written to {out}")
    return int(any(c.bounded and results[c.name]["median"] > BOUND for c in CASES))


def made_run(directory: pathlib.Path) -> str:
    """A run of the papers' sizes; its time does not depend on what it has learnt."""
    fields = {
        "training.epochs": 1,
        "data.sizes": (256, 64, 64),
        "data.max_length": 256,
        "batching.buckets": (64, 128, 192, 256),
        "model.units": 100,
        "model.dimension": 100,
    }
    given = [f"--config.{name}={value}" for name, value in fields.items()]
    command = [sys.executable, "-m", "n2r_jax.main", f"--config={REPO}/configs/demo.py"]
    subprocess.run([*command, f"--workdir={directory}", *given], check=True, cwd=REPO)
    return str(directory)


@contextlib.contextmanager
def serving(run: str) -> Iterator[int]:
    """`n2r serve` on a free port, from when it is warm."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "n2r_jax.cli", "serve", "--run", run, "--port", str(port)]
    process = subprocess.Popen(command, cwd=REPO)
    try:
        _wait_until_warm(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_warm(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise RuntimeError("the server did not start; see above")


async def measure(case: Case, port: int, seconds: float) -> dict[str, Any]:
    """Seconds of every request that was sent and answered while it counted."""
    requests = itertools.cycle([_request(text, case.question) for text in reviews()])
    begin = time.perf_counter() + WARM
    clients = (_client(port, requests, begin, begin + seconds) for _ in range(case.clients))
    taken = np.concatenate(await asyncio.gather(*clients))
    if not len(taken):
        raise RuntimeError(f"no request was sent and answered within {seconds:g} s")
    p50, p95, p99 = np.percentile(taken, (50, 95, 99))
    return {
        "clients": case.clients,
        "requests": len(taken),
        "requests_a_second": len(taken) / seconds,
        "median": float(p50),
        "p95": float(p95),
        "p99": float(p99),
        "largest": float(taken.max()),
    }


def reviews() -> list[str]:
    """Embedded reviews, one after the other, cut to the lengths of real ones."""
    from n2r_jax.data.reviews import Reviews

    source = Reviews("test", size=64)
    words = list(itertools.chain(*(record.tokens for record in source)))
    lengths = review_lengths(REVIEWS)
    firsts = np.random.default_rng(0).integers(0, len(words) - lengths.max(), REVIEWS)
    return [" ".join(words[a : a + n]) for a, n in zip(firsts, lengths, strict=True)]


def _request(text: str, question: dict[str, Any]) -> bytes:
    body = json.dumps({"text": text, **question}).encode()
    head = "POST /explain HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _client(port: int, requests: Iterator[bytes], begin: float, end: float) -> list[float]:
    """One request after the other on a connection; seconds of those from `begin` to `end`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken: list[float] = []
    try:
        while (sent := time.perf_counter()) < end:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the server answered {head.splitlines()[0].decode()}")
            length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            if sent >= begin:
                taken.append(time.perf_counter() - sent)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return taken


def table(results: dict[str, dict[str, Any]]) -> Table:
    """Milliseconds of every case."""
    shown = Table("", title="n2r serve: milliseconds from question to answer", title_justify="left")
    for heading in ("median", "95 %", "99 %", "requests a second"):
        shown.add_column(heading, justify="right")
    for name, found in results.items():
        times = (f"{1e3 * found[key]:.1f}" for key in ("median", "p95", "p99"))
        shown.add_row(name, *times, f"{found['requests_a_second']:.0f}")
    return shown


if __name__ == "__main__":
    sys.exit(main())
