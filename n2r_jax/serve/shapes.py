"""The few shapes that a served run is compiled for, by what its model's time goes by."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax

from n2r_jax import assemble
from n2r_jax.inference import TrainedRun

FINE = (32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024)
"""Lengths that a GRU's texts are padded to: its time goes by the longest, and each compiles in
half a second."""


class Shapes(NamedTuple):
    """What is compiled: every number of texts (or questions) with every length."""

    texts: tuple[int, ...]
    """Of calls that predict once."""
    ablated: tuple[int, ...]
    """Of calls that predict from the whole, the rationale and the rest."""
    lengths: tuple[int, ...]

    @property
    def most(self) -> int:
        """Texts of the largest batch."""
        return self.texts[-1]

    def all(self) -> list[tuple[bool, int, int]]:
        """(ablated, texts, length) of everything that is compiled."""
        plain = itertools.product((False,), self.texts, self.lengths)
        return [*plain, *itertools.product((True,), self.ablated, self.lengths)]


def shapes_of(trained: TrainedRun) -> Shapes:
    """Few shapes, by what the model's time goes by; a question is as many rows as it has answers.

    The GRU's kernel takes as long for one row as for 32, and compiles fast; three predictions are
    three times the rows. A transformer's time goes by rows and lengths, and it compiles for
    seconds: it keeps the run's own lengths.
    """
    devices = jax.local_device_count()
    bounds = assemble.length_buckets(trained.config)

    def texts(rows: int) -> int:
        return devices * max(1, -(-(rows // trained.choices) // devices))

    if trained.config.model.name != "gru":
        few = tuple(sorted({devices, texts(8 * devices)}))
        return Shapes(few, few, bounds)
    one_pass, two_passes, plain = map(texts, (10, 21, 32))
    finer = {length for length in FINE if length < bounds[-1]}
    ablated = tuple(sorted({one_pass, two_passes, plain}))
    return Shapes((plain,), ablated, tuple(sorted({*finer, *bounds})))
