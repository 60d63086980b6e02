"""From encoded texts to an endless, resumable stream of batches of few shapes.

An epoch is a plan: which texts stand together in which batch, and how far they are padded. A plan
is a pure function of (seed, epoch), so one integer, the index of the next batch, is all that a
checkpoint has to hold, and every process can make the same plan and read only its own rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from n2r_jax.data.batch import Batch
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.errors import UserError


class PlannedBatch(NamedTuple):
    """Texts of one global batch and the length they are padded to. All rows of a question."""

    length: int
    indices: Int64[np.ndarray, " k"]


def balanced(labels: np.ndarray, seed: int) -> Int64[np.ndarray, " k"]:
    """Indices of equally many texts of every label: the larger classes are down-sampled.

    As both papers' data preparation does. The order of the texts is kept.
    """
    present, counts = np.unique(labels, return_counts=True)
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(labels == label), counts.min(), replace=False)
        for label in present
    ]
    return np.sort(np.concatenate(chosen))


def plan_epoch(
    lengths: Int64[np.ndarray, " n"],
    bounds: Sequence[int],
    batch_size: int,
    rng: np.random.Generator | None,
) -> list[PlannedBatch]:
    """Group texts by length: each stands in a batch padded to the smallest bound that holds it.

    What is left of a bucket moves up into the next one, so at most one batch is not full, and
    nothing is dropped. Without `rng` texts and batches stay in order.
    """
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    bucket = np.searchsorted(bounds, lengths[order])
    planned, left = [], np.zeros(0, np.int64)
    for place, bound in enumerate(bounds):
        here = np.concatenate([left, order[bucket == place]])
        full = len(here) // batch_size * batch_size
        planned += [PlannedBatch(bound, p) for p in here[:full].reshape(-1, batch_size)]
        left = here[full:]
    if len(left):
        longest = int(np.searchsorted(bounds, lengths[left].max()))
        planned.append(PlannedBatch(bounds[longest], left))
    return planned if rng is None else [planned[i] for i in rng.permutation(len(planned))]


@dataclasses.dataclass
class Batches:
    """A random-access sequence of this process's parts of global batches, epoch after epoch.

    indices: of questions, which are texts unless several rows belong to one; no batch, and no
    device, has a part of a question. bounds: lengths to pad to, ascending, the last holds every
    text.
    """

    texts: EncodedTexts
    indices: Int64[np.ndarray, " k"]
    bounds: tuple[int, ...]
    batch_size: int
    """Questions of the global batch, all processes together."""
    seed: int | None
    """None: the order of the texts, for evaluation."""
    epochs: int = 1
    process: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise UserError(
                f"batch size {self.batch_size} does not divide among {self.processes} processes; "
                "set config.batching.batch_size to a multiple"
            )
        if tuple(sorted(self.bounds)) != tuple(self.bounds) or not self.bounds:
            raise UserError(f"config.batching.buckets {self.bounds} must ascend")
        if not len(self.indices):
            raise UserError("there is no text to make batches of; check the file and its labels")
        self._planned: tuple[int, list[PlannedBatch]] = (-1, [])
        # Buckets hold equally many texts in every epoch, so every epoch has as many batches.
        self.per_epoch = len(self.plan(0))

    @property
    def rows(self) -> int:
        """Texts of a global batch."""
        return self.batch_size * self.texts.choices

    def plan(self, epoch: int) -> list[PlannedBatch]:
        """The batches of an epoch, as indices into the texts."""
        if self._planned[0] != epoch:
            own = self._plan_questions(epoch)
            rows = [PlannedBatch(length, self.texts.rows_of(part)) for length, part in own]
            self._planned = (epoch, rows)
        return self._planned[1]

    def _plan_questions(self, epoch: int) -> list[PlannedBatch]:
        """The batches of an epoch, as questions."""
        rng = None if self.seed is None else np.random.default_rng((self.seed, epoch))
        sizes = self.texts.question_sizes[self.indices]
        planned = plan_epoch(sizes, self.bounds, self.batch_size, rng)
        return [PlannedBatch(length, self.indices[part]) for length, part in planned]

    def __len__(self) -> int:
        """Batches of all epochs."""
        return self.per_epoch * self.epochs

    def __getitem__(self, index: int) -> Batch:
        """This process's rows of a global batch."""
        epoch, place = divmod(int(index), self.per_epoch)
        length, indices = self.plan(epoch)[place]
        rows = self.rows // self.processes
        first = self.process * rows
        return self.texts.batch(indices[first : first + rows], rows, length, first)


def stream(batches: Batches, start: int = 0) -> Iterator[Batch]:
    """Batches from index `start` on, made ahead of need by grain in the background."""
    import grain

    # One thread: more of them fight with the compute on a small machine (and were slower).
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=8)
    iterator = iter(grain.MapDataset.source(batches).to_iter_dataset(options))
    iterator.set_state({"next_index": start})
    return iterator
