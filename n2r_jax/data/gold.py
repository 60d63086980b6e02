"""Few gold rationales: which texts keep theirs, and batches with a fixed share of these.

UNIREX section 5.6 (figures 7 and 8), as its specification has the release: gamma % of the training
texts keep their gold rationale; b / beta texts of every batch of b are drawn from these, without
replacement within a batch, and the rest from the others, each once an epoch.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
from jaxtyping import Int64

from n2r_jax.data.batching import Batches, PlannedBatch, plan_epoch
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.errors import UserError


def gold_count(percent: float, questions: int) -> int:
    """ceil(percent / 100 * questions), in exact numbers: a fifth of 6,920 is 1,384 and no more."""
    return math.ceil(Fraction(str(percent)) * questions / 100)


def choose_gold(
    texts: EncodedTexts, indices: Int64[np.ndarray, " k"], percent: float, seed: int
) -> Int64[np.ndarray, " g"]:
    """The questions that keep their gold rationale: uniform without replacement, ascending.

    Of those among `indices`, from those that have one. Raises UserError where they are too few.
    """
    count = gold_count(percent, len(indices))
    annotated = indices[texts.annotated[:: texts.choices][indices]]
    if count > len(annotated):
        raise UserError(
            f"config.unirex.gold_percent {percent:g} of {len(indices)} training texts are {count}, "
            f"but only {len(annotated)} have a gold rationale; lower it"
        )
    return np.sort(np.random.default_rng(seed).choice(annotated, count, replace=False))


def forget_other_gold(texts: EncodedTexts, gold: Int64[np.ndarray, " g"]) -> EncodedTexts:
    """The texts as if only those of `gold` had ever been marked."""
    kept = np.zeros(len(texts), bool)
    kept[texts.rows_of(gold)] = True
    of_token = np.repeat(kept, texts.lengths)
    rationales = np.where(of_token, texts.rationales, 0).astype(np.uint8)
    return dataclasses.replace(texts, rationales=rationales, annotated=texts.annotated & kept)


@dataclasses.dataclass
class GoldBatches(Batches):
    """Batches of which 1 / beta is drawn from `gold`; the other `indices` come once an epoch.

    The last batch of the others may be smaller, with as much gold as any. What is drawn depends on
    (seed, epoch, place in the epoch) alone, so a run that goes on draws as if it had never stopped.
    """

    gold: Int64[np.ndarray, " g"] = dataclasses.field(kw_only=True)
    beta: float = dataclasses.field(default=2.0, kw_only=True)

    def __post_init__(self) -> None:
        if self.batch_size < 2 or not self.beta > 1:
            raise UserError(
                f"a batch of {self.batch_size} by config.unirex.gold_beta {self.beta:g} has no "
                "room for texts with gold and others; beta must be above 1, a batch at least 2"
            )
        super().__post_init__()

    def _plan_questions(self, epoch: int) -> list[PlannedBatch]:
        drawn = int(max(1, self.batch_size / self.beta))
        others = np.setdiff1d(self.indices, self.gold)
        sizes = self.texts.question_sizes
        rng = np.random.default_rng((self.seed or 0, epoch))
        planned = plan_epoch(sizes[others], self.bounds, self.batch_size - drawn, rng)
        return [
            self._with_gold(length, others[part], drawn, epoch, step)
            for step, (length, part) in enumerate(planned)
        ]

    def _with_gold(
        self, length: int, others: np.ndarray, drawn: int, epoch: int, step: int
    ) -> PlannedBatch:
        """A batch of the others, padded as far as the gold that joins it needs."""
        # A seed sequence takes no notice of zeros behind it: counted from 1, no step is the epoch.
        rng = np.random.default_rng((self.seed or 0, epoch, 1 + step))
        count = min(drawn, len(self.gold))  # the release fails where there are fewer
        gold = rng.choice(self.gold, count, replace=False)
        longest = self.texts.question_sizes[gold].max()
        needed = self.bounds[int(np.searchsorted(self.bounds, longest))]
        return PlannedBatch(max(length, needed), np.concatenate([others, gold]))


def authors_schedule_steps(questions: int, gold: int, batch_size: int, epochs: int) -> int:
    """Steps that the release's schedule counts on, about half of those that its batches take.

    It takes an epoch for (N - N_gold) / b steps, so the learning rate reaches 0 in mid-training.
    """
    return max(1, (questions - gold) // batch_size * epochs)
