"""What the input pipeline costs: the same steps on streamed batches and on batches made beforehand.

    python -m experiments.bench_input          (--quick: 15 rounds of the paper's size)

One compiled N2R step is fed in turns by the stream that training uses (planned, padded and
prefetched by grain's thread, then split over the devices) and by the very same batches out of a
list. Both read metrics one step late, as the training loop does. Turns are short, so that a machine
that slows down does so for both, and the prefetched batches are as many after a turn as before it:
a turn makes as many batches as it uses up. Writes bench/input-<cpu>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench import REPO, busy, slug, spread
from experiments.bench_driver import Seconds, Summary, summarize
from experiments.bench_jax import Bench
from experiments.bench_lengths import review_lengths
from experiments.bench_machine import machine
from experiments.bench_worker import Settings
from n2r_jax import runtime

STREAMED, MADE = "streamed", "made beforehand"
BOUND = 0.03
"""Share of the steps per second that the input pipeline may cost."""
PAUSE = 0.05
"""Seconds before each turn, in which grain's thread fills its buffer again."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and the texts it is fed with."""

    name: str
    settings: Settings
    buckets: tuple[int, ...]
    steps: int
    """Of a turn."""
    bounded: bool = False
    """Whether the bound is asked for: at the paper's size."""


CASES = (
    Case(
        name="batch 128, length 256, GRU 2 x 100 (the paper's)",
        settings=Settings(),
        buckets=(64, 128, 192, 256),
        steps=2,
        bounded=True,
    ),
    Case(
        name="batch 256, length 32, GRU 2 x 100",
        settings=Settings(batch=256, length=32),
        buckets=(16, 32),
        steps=8,
    ),
    Case(
        name="batch 256, length 32, GRU 2 x 8",
        settings=Settings(batch=256, length=32, units=8, embedding=16),
        buckets=(16, 32),
        steps=40,
    ),
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What was measured of a case."""

    case: Case
    seconds: Seconds
    """Of a step, in every round of either side."""
    pipeline: float
    """Seconds of one batch of the stream while nothing else runs."""

    def summaries(self) -> dict[str, Summary]:
        """Both sides beside the batches made beforehand."""
        return summarize(self.seconds, MADE)

    def cost(self) -> float:
        """Share of the steps per second that is lost; the median of the rounds' own ratios."""
        return 1 - self.summaries()[STREAMED].median_ratio


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if the bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41, help="rounds that count (default 41)")
    parser.add_argument("--quick", action="store_true", help="15 rounds of the paper's size")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/input-<cpu>.json")
    options = parser.parse_args(arguments)
    console, found, load = Console(), machine(), os.getloadavg()[0]
    if warning := busy(load, found["cores"]):
        console.print(warning, style="yellow")
    runtime.configure()
    runtime.enable_compilation_cache()
    rounds = 15 if options.quick else options.rounds
    results = [measure(case, rounds) for case in (CASES[:1] if options.quick else CASES)]
    console.print(table(results))
    out = options.out or REPO / "bench" / f"input-{slug(found['cpu'])}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    noted = {"machine": found, "load_before": load, "bound": BOUND, "cases": record(results)}
    out.write_text(json.dumps(noted, indent=2) + "\n")
    console.print(f"written to {out}")
    return int(any(r.case.bounded and r.cost() > BOUND for r in results))


def measure(case: Case, rounds: int) -> Result:
    """Every round runs the same batches on both sides, which take turns in going first."""
    from n2r_jax.data.batching import stream
    from n2r_jax.training import parallel

    batches = make_batches(case, (rounds + 1) * case.steps)
    bench = Bench()
    bench.setup(**dataclasses.asdict(case.settings))
    compile_all(bench, batches)
    seconds: Seconds = {STREAMED: [], MADE: []}
    streamed = map(parallel.shard, stream(batches))
    for turn in range(rounds + 1):
        indices = range(turn * case.steps, (turn + 1) * case.steps)
        feeds = {STREAMED: streamed, MADE: iter([parallel.shard(batches[i]) for i in indices])}
        for side in list(feeds)[:: 1 if turn % 2 == 0 else -1]:
            time.sleep(PAUSE)
            started = time.perf_counter()
            run(bench, feeds[side], case.steps)
            seconds[side].append((time.perf_counter() - started) / case.steps)
    counted = {side: found[1:] for side, found in seconds.items()}  # the first fills caches
    return Result(case, counted, seconds_of_pipeline(batches))


def seconds_of_pipeline(batches: Any, count: int = 200) -> float:
    """Seconds of one batch of a stream that nothing else waits for or competes with."""
    from n2r_jax.data.batching import stream
    from n2r_jax.training import parallel

    count = min(count, len(batches) // 2)
    streamed = map(parallel.shard, stream(batches))
    for _ in range(count):  # whatever was prefetched at first is used up
        next(streamed)
    started = time.perf_counter()
    for _ in range(count):
        next(streamed)
    return (time.perf_counter() - started) / count


def run(bench: Bench, batches: Iterator[Any], steps: int) -> None:
    """So many steps; a step's metrics are read when the next one is under way."""
    import jax

    pending = None
    for _ in range(steps):
        bench.state, metrics = bench.step(bench.state, next(batches))
        jax.device_get(pending)
        pending = metrics
    jax.block_until_ready((bench.state, pending))


def make_batches(case: Case, count: int) -> Any:
    """At least so many batches, of texts of reviews' lengths, shuffled."""
    from n2r_jax.data.batching import Batches
    from n2r_jax.data.encoding import EncodedTexts

    own = case.settings
    texts = own.batch * (count + len(case.buckets))
    lengths = np.maximum(1, review_lengths(texts) * own.length // 256)
    rng, starts = np.random.default_rng(own.seed), np.concatenate([[0], np.cumsum(lengths)])
    encoded = EncodedTexts(
        ids=rng.integers(1, own.vocabulary, starts[-1], np.int32),
        rationales=np.zeros(starts[-1], np.uint8),
        starts=starts,
        labels=rng.integers(0, 2, texts, np.int32),
        annotated=np.zeros(texts, bool),
        truncated=0,
    )
    return Batches(encoded, np.arange(texts), case.buckets, own.batch, seed=own.seed)


def compile_all(bench: Bench, batches: Any) -> None:
    """One step of every length, so that nothing compiles later."""
    from n2r_jax.training import parallel

    for bound in batches.bounds:
        some = np.flatnonzero(batches.texts.lengths <= bound)[: batches.batch_size]
        batch = parallel.shard(batches.texts.batch(some, batches.batch_size, bound))
        run(bench, iter([batch]), 1)


def table(results: Sequence[Result]) -> Table:
    """Steps per second of both sides, and what the stream costs."""
    shown = Table(title="steps per second with and without the input pipeline")
    columns = (STREAMED, MADE, "streamed / made [quartiles]", "pipeline alone")
    for column in ("", *columns):
        shown.add_column(column, justify="left" if not column else "right")
    for result in results:
        own = result.summaries()
        rates = (f"{1 / own[side].median:.2f}" for side in (STREAMED, MADE))
        ratio = spread(own[STREAMED].median_ratio, own[STREAMED].ratio_quartiles, 3)
        share = 100 * result.pipeline / own[MADE].median
        alone = f"{1e3 * result.pipeline:.2f} ms a batch ({share:.1f} % of a step)"
        shown.add_row(result.case.name, *rates, ratio, alone)
    return shown


def record(results: Sequence[Result]) -> dict[str, Any]:
    """Everything for the JSON file, the rounds too."""
    return {
        result.case.name: {
            "cost": result.cost(),
            "pipeline_seconds_a_batch": result.pipeline,
            "sides": {
                side: dataclasses.asdict(summary) | {"rounds": result.seconds[side]}
                for side, summary in result.summaries().items()
            },
        }
        for result in results
    }


if __name__ == "__main__":
    sys.exit(main())
