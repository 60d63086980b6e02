"""What a run scores on every input, in a form in which runs can be paired."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int64, Shaped

from n2r_jax.data.multiple_choice import rows_of
from n2r_jax.evaluate import Evaluation
from n2r_jax.metrics.overlap import OverlapCounts, prf


@dataclasses.dataclass(frozen=True)
class InputScores:
    """Scores of every input: of each text, or of each question with its rows together."""

    correct: Float[np.ndarray, " n"]
    """1 where the label is predicted."""
    counts: Int64[np.ndarray, "n 4"]
    """Columns of `OverlapCounts`; of a question the sums over its rows."""
    f1: Float[np.ndarray, " n"]
    """F1 of selected tokens (of a question the mean over its rows), NaN without a gold token."""
    annotated: Bool[np.ndarray, " n"]

    @property
    def tables(self) -> dict[str, Shaped[np.ndarray, "m k"]]:
        """What a bootstrap resamples, by name of the score (see `STATISTICS`)."""
        marked = ~np.isnan(self.f1)
        return {
            "accuracy": np.stack([self.correct, np.ones(len(self.correct))], axis=1),
            "f1_micro": self.counts[self.annotated],
            "f1_instance_mean": np.stack([self.f1[marked], np.ones(marked.sum())], axis=1),
        }


def input_scores(evaluation: Evaluation) -> InputScores:
    """Return what a run scores on every input.

    All tokens of a text count, whatever the run's maximum length: those it did not read are not
    selected. So runs that cut texts at different places are still scored on the same tokens.
    """
    texts, outputs = evaluation.texts, evaluation.outputs
    counts = OverlapCounts.from_masks(outputs.mask, evaluation.gold, evaluation.valid)
    if texts.truncated:
        counts = dataclasses.replace(counts, **_whole(evaluation))
    f1 = prf(counts.selected, counts.gold, counts.true_positives).f1
    f1 = np.where(texts.annotated & (counts.gold > 0), f1, np.nan)
    predicted = outputs.probabilities.argmax(-1)[:: texts.choices]
    return InputScores(
        correct=(predicted == texts.question_labels).astype(np.float64),
        counts=counts.table.reshape(-1, texts.choices, 4).sum(1),
        f1=f1.reshape(-1, texts.choices).mean(1),
        annotated=texts.annotated[:: texts.choices],
    )


def _whole(evaluation: Evaluation) -> dict[str, Int64[np.ndarray, " n"]]:
    """Gold and real tokens of every row, also of the part that was cut off."""
    source = evaluation.source
    rows = [row for index in range(len(source)) for row in rows_of(source[index])]
    return {
        "gold": np.array([sum(row.rationale or ()) for row in rows], np.int64),
        "length": np.array([len(row.tokens) for row in rows], np.int64),
    }
