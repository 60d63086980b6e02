"""The worker's side of the benchmark: one JSON object a line in, one JSON object a line out.

    {"do": "setup", ...}                                  -> {"ok": true, "versions": {...}}
    {"do": "train", "lengths": [200, 31], "repeat": 3}    -> {"seconds": [...], "peak_mb": ...}
    {"do": "evaluate", "batches": 8, "batch": 256}        -> the same
    {"do": "explain", "lengths": [200, 31], "batch": 256} -> the same
    {"do": "quit"}

`train` is one iteration on one batch. `evaluate` is a split of so many batches, from word ids to
selected words and classes, with all that is prepared for it. `explain` goes from lists of words to
the same, its look-up included. Each is asked `repeat` times.

`lengths` holds one real length per input; null means that no input is padded. `batch` and `length`
change the sizes of one request. Every worker answers from here, so that all of them see the same
data and the same clock. It needs numpy only: PyTorch's worker has a Python of its own.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes, and the release's numbers for Beer-Appearance: the same for every side."""

    order: str = "release"
    batch: int = 128
    length: int = 256
    units: int = 100
    embedding: int = 100
    vocabulary: int = 20_000
    seed: int = 0
    learning_rate: float = 1e-4
    dropout: float = 0.2
    sparsity: float = 0.125
    lambda_sparsity: float = 11.0
    lambda_continuity: float = 12.0
    lambda_ce: float = 0.9
    lambda_norm: float = 1.0

    def sizes(self, **request: Any) -> dict[str, Any]:
        """The sizes of one request: these where it names no other."""
        own = {"batch": self.batch, "length": self.length, "vocabulary": self.vocabulary}
        return own | request


class Arrays(NamedTuple):
    """B inputs padded to length L."""

    ids: np.ndarray  # [B, L] int64, 0 at pads
    real: np.ndarray  # [B, L] float32, 1 at real tokens and 0 at pads
    labels: np.ndarray  # [B] int64, 0 or 1


def random_arrays(
    *, batch: int, length: int, vocabulary: int, lengths: Sequence[int] | None = None, seed: int
) -> Arrays:
    """Random words and labels; the same arguments give the same arrays."""
    if lengths is None:
        lengths = [length] * batch
    if len(lengths) != batch or max(lengths) > length:
        raise ValueError(f"`lengths` must hold {batch} numbers, none above {length}")
    rng = np.random.default_rng(seed)
    real = np.arange(length) < np.asarray(lengths)[:, None]
    ids = rng.integers(1, vocabulary, real.shape) * real
    return Arrays(ids, real.astype(np.float32), rng.integers(0, 2, batch))


def random_splits(
    settings: Settings, *, batches: int = 1, repeat: int = 1, **request: Any
) -> list[list[Arrays]]:
    """For each repeat a split of so many batches, of the settings' sizes where none are named."""
    sizes = settings.sizes(**request)
    return [
        [random_arrays(**sizes, seed=first + place) for place in range(batches)]
        for first in range(0, repeat * batches, batches)
    ]


def words_of(vocabulary: int) -> list[str]:
    """The words with ids from 1; 0 is padding."""
    return [f"w{word}" for word in range(1, vocabulary)]


def random_texts(lengths: Sequence[int], vocabulary: int, seed: int = 0) -> list[list[str]]:
    """Texts as lists of random words; the same arguments give the same texts."""
    words, rng = words_of(vocabulary), np.random.default_rng(seed)
    drawn = (rng.integers(0, len(words), length) for length in lengths)
    return [[words[place] for place in places] for places in drawn]


def seconds_of(action: Callable[[Any], object], batches: Sequence[Any]) -> list[float]:
    """Seconds of each call alone; `action` must return only when its work is done."""
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        action(batch)
        seconds.append(time.perf_counter() - start)
    return seconds


def peak_mb() -> float:
    """The most memory this process ever held, in 10^6 bytes."""
    try:
        with open("/proc/self/status") as status:
            kibibytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except FileNotFoundError:  # not Linux
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    # On Linux ru_maxrss survives exec: a small child of a large parent would report its parent.
    return kibibytes * 1024 / 1e6


def serve(
    setup: Callable[..., Mapping[str, str]],
    tasks: Mapping[str, Callable[..., list[float]]],
    peak: Callable[[], float] = peak_mb,
) -> None:
    """Answers until `quit` or the end of stdin.

    Args:
        setup: takes the fields of a setup request, returns the versions of what it runs on.
        tasks: by name, takes the fields of a request, returns the seconds of each repeat.
        peak: the most memory ever held, in 10^6 bytes.

    A wrong request ends the process with a traceback on stderr, which the driver shows.
    """
    for line in sys.stdin:
        fields = json.loads(line)
        task = fields.pop("do")
        if task == "quit":
            return
        if task == "setup":
            answer = {"ok": True, "versions": dict(setup(**fields))}
        else:
            answer = {"seconds": tasks[task](**fields), "peak_mb": peak()}
        print(json.dumps(answer), flush=True)
