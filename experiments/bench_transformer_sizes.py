"""What both sides of the transformer benchmark are told, and their clocks: for numpy alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench_worker import Arrays, random_arrays, seconds_of


@dataclasses.dataclass(frozen=True)
class Settings:
    """Two encoders of BERT-base's sizes, with the dropout that Hugging Face's BERT has."""

    order: str = "paper"
    batch: int = 16
    length: int = 256
    """Pieces of a text, [CLS] and [SEP] included; every other piece is a word of its own."""
    layers: int = 12
    hidden: int = 768
    heads: int = 12
    inner: int = 3072
    vocabulary: int = 30_522
    seed: int = 0
    learning_rate: float = 2e-5
    head_dropout: float = 0.1
    dropout: float = 0.1
    attention_dropout: float = 0.1
    sparsity: float = 0.1
    lambda_sparsity: float = 11.0
    lambda_continuity: float = 12.0
    lambda_ce: float = 0.9
    lambda_norm: float = 1.0

    def arrays(self, seed: int, **request: Any) -> Arrays:
        """Random pieces of the sizes that a request names, or else these."""
        sizes = {"batch": self.batch, "length": self.length, "vocabulary": self.vocabulary}
        return random_arrays(**{**sizes, **request}, seed=seed)


def timed(
    action: Callable[[Any], object], batches: Sequence[Any], clock: str = "wall"
) -> list[float]:
    """Seconds of each call, by the clock on the wall or of all this process's threads."""
    if clock == "wall":
        return seconds_of(action, batches)
    seconds = []
    for batch in batches:
        start = time.process_time()
        action(batch)
        seconds.append(time.process_time() - start)
    return seconds
