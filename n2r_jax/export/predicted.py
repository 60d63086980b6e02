"""What a run says of texts, chunk by chunk: the rows that every export format writes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from n2r_jax import masks
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.explain import runs
from n2r_jax.export.rows import InputRow
from n2r_jax.faithful import MaskedPredictor, masked_predictor
from n2r_jax.inference import Outputs, TrainedRun
from n2r_jax.selections import answers, selection

CHUNK = 512
"""Texts that are read, predicted and written together."""
Distribution = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Faithfulness:
    """The predictor's classes from the whole text, without its rationale, and with it alone.

    `at` holds the last two for rationales of the best-scored share of tokens.
    """

    whole: Distribution
    without: Distribution
    only: Distribution
    at: dict[float, tuple[Distribution, Distribution]]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """One text with its prediction; mask and scores are of all its tokens.

    Tokens beyond the run's maximum length were not seen: mask and score are 0 there.
    """

    given: InputRow
    label: str
    probabilities: Distribution
    """From the rationale alone, as the run predicts."""
    mask: tuple[int, ...]
    scores: tuple[float, ...]
    """Probability of each token to be selected."""
    faithfulness: Faithfulness | None = None

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Runs of selected tokens, [start, end)."""
        return tuple(runs(self.mask))


def predicted_rows(
    trained: TrainedRun,
    rows: Iterable[InputRow],
    *,
    faithful: bool = False,
    shares: Sequence[float] = (),
    chunk: int = CHUNK,
) -> Iterator[Predicted]:
    """Predictions of rows, in their order.

    faithful: ask the predictor too what it makes of the whole text and of the text without its
    rationale. shares: the same for the best-scored 1 % (0.01), ... of a text's tokens.
    """
    predictor = masked_predictor(trained) if faithful else None
    rows = iter(rows)
    while members := list(itertools.islice(rows, chunk)):
        records = [row.record() for row in members]
        texts = trained.encode(records)
        outputs = trained.rationalize(texts)
        asked: Sequence[Faithfulness | None] = [None] * len(members)
        if predictor is not None:
            asked = _faithfulness(trained.labels, predictor, texts, outputs, shares)
        for i, row in enumerate(members):
            yield _predicted(trained.labels, row, outputs, texts, i, asked[i])


def _predicted(
    labels: Sequence[str],
    row: InputRow,
    outputs: Outputs,
    texts: EncodedTexts,
    i: int,
    faithfulness: Faithfulness | None,
) -> Predicted:
    """Row i with its rationale; of a question, that of the answer which is predicted."""
    probabilities, record = outputs.probabilities[i * texts.choices], row.record()
    best = int(probabilities.argmax())
    if record.choices:
        selected = answers(outputs, texts, i, record)[best].of_question
    else:
        selected = selection(outputs, texts, i, record)
    return Predicted(
        given=row,
        label=labels[best],
        probabilities=_distribution(labels, probabilities),
        mask=selected.mask,
        scores=selected.scores,
        faithfulness=faithfulness,
    )


def _faithfulness(
    labels: Sequence[str],
    predictor: MaskedPredictor,
    texts: EncodedTexts,
    outputs: Outputs,
    shares: Sequence[float],
) -> list[Faithfulness]:
    """What the predictor says of every text or question, whole and ablated.

    Of a question each row loses its own rationale, all at once.
    """
    seen = np.arange(outputs.mask.shape[1]) < texts.lengths[:, None]
    selections = [outputs.mask, *_best(outputs.scores, seen, shares)]
    whole = predictor(texts, seen)
    # The complement first, then the rationale alone, of each selection in turn.
    ablated = [predictor(texts, seen & (m == s)) for m in selections for s in (0, 1)]
    rows = []
    for i in range(0, len(texts), texts.choices):
        found = [_distribution(labels, probabilities[i]) for probabilities in ablated]
        pairs = list(zip(found[::2], found[1::2], strict=True))
        at = dict(zip(shares, pairs[1:], strict=True))
        rows.append(Faithfulness(_distribution(labels, whole[i]), *pairs[0], at))
    return rows


def _best(
    scores: Float[np.ndarray, "n t"], seen: np.ndarray, shares: Sequence[float]
) -> Float[np.ndarray, "k n t"]:
    """Masks of the best-scored shares of each text's tokens, at least one token each."""
    if not shares:
        return np.zeros((0, *scores.shape))
    percentages = [100 * share for share in shares]
    return np.asarray(
        masks.top_k_percent(jnp.asarray(scores), jnp.asarray(seen, jnp.float32), percentages)
    )


def _distribution(labels: Sequence[str], p: Float[np.ndarray, " c"]) -> Distribution:
    return dict(zip(labels, map(float, p), strict=True))
