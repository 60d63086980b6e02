"""A trained run as one compiled call on few shapes: select, then predict with and without.

    whole       p(y | x)
    rationale   p(y | the selected words alone)
    rest        p(y | all other words)

Of a question every answer's row loses its own rationale, all at once.

comprehensiveness = p(y | x) - p(y | rest) and sufficiency = p(y | x) - p(y | rationale), y being
the label predicted from the whole text (DeYoung et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.multiple_choice import rows_of
from n2r_jax.data.records import Record
from n2r_jax.data.tokenize import tokenize
from n2r_jax.errors import UserError
from n2r_jax.explain import Explanation, Units, explanation_of, record_of
from n2r_jax.inference import Outputs, TrainedRun, softmax
from n2r_jax.methods import Method
from n2r_jax.serve.shapes import shapes_of
from n2r_jax.training import parallel

WHOLE, RATIONALE, REST = range(3)


class Asked(NamedTuple):
    """One text and what is wanted of it."""

    units: Units
    sparsity: float | None = None
    """Share of the tokens to select, the best-scored; None: what the run selects."""
    faithfulness: bool = False


class Faithfulness(NamedTuple):
    """What the predictor says of a text with and without its rationale: probabilities a class."""

    label: str
    """Predicted from the whole text; what follows is of this label."""
    whole: dict[str, float]
    rationale: dict[str, float]
    rest: dict[str, float]
    comprehensiveness: float
    sufficiency: float


class Found(NamedTuple):
    """What is answered of one text."""

    explanation: Explanation
    unread: int
    """Tokens beyond the run's maximum length; of a question, with the answer that is predicted."""
    faithfulness: Faithfulness | None


class ServedRun:
    """Explains batches of texts; not to be called by two threads at a time."""

    def __init__(self, trained: TrainedRun):
        self.trained, self.shapes = trained, shapes_of(trained)
        trained.prepare_all_words()
        self._calls = {
            ablated: parallel.data_parallel_rows(_body(trained.method, ablated))
            for ablated in (False, True)
        }

    def warm_up(self) -> int:
        """Compile every shape; how many there are."""
        tokenize("Its pattern is made at first use.")
        count, shapes = self.trained.choices, self.shapes.all()
        texts = self.trained.encode([self.trained.inputs.example(count)])
        for ablated, most, length in shapes:
            self._call(texts, np.zeros(count, np.int32), ablated, most, length)
        return len(shapes)

    def __call__(self, asked: Sequence[Asked]) -> list[Found | Exception]:
        """What is found of each text, or the UserError that says why nothing is."""
        try:
            return self._explain(asked)
        except UserError as error:
            # One text that the run refuses (as too long) must not take the others with it.
            return [error] if len(asked) == 1 else [self([one])[0] for one in asked]

    def _explain(self, asked: Sequence[Asked]) -> list[Found | Exception]:
        records = [record_of(one.units, str(i)) for i, one in enumerate(asked)]
        texts, ablated = self.trained.encode(records), any(one.faithfulness for one in asked)
        compiled = self.shapes.ablated if ablated else self.shapes.texts
        most = min(count for count in compiled if count >= len(asked))
        length = min(bound for bound in self.shapes.lengths if bound >= texts.sizes.max())
        shares = [one.sparsity for one in asked for _ in range(texts.choices)]
        sizes = [_size(share, int(n)) for share, n in zip(shares, texts.lengths, strict=True)]
        scores, mask, logits = self._call(texts, np.array(sizes, np.int32), ablated, most, length)
        probabilities = softmax(logits)
        own = 0
        if ablated:
            own = WHOLE if self.trained.method.predicts_from_all else RATIONALE
        outputs = Outputs(scores, mask > 0.5, probabilities[:, own], np.zeros(len(texts)))
        return [
            self._found(one, record, place, outputs, texts, probabilities)
            for place, (one, record) in enumerate(zip(asked, records, strict=True))
        ]

    def _found(
        self,
        asked: Asked,
        record: Record,
        place: int,
        outputs: Outputs,
        texts: EncodedTexts,
        probabilities: Float[np.ndarray, "n k c"],
    ) -> Found:
        labels = self.trained.labels
        explanation = explanation_of(
            asked.units, record, place, outputs=outputs, texts=texts, labels=labels
        )
        # Of a question: the row of the answer that is predicted.
        chosen = labels.index(explanation.label) if record.choices else 0
        first = place * texts.choices
        unread = len(rows_of(record)[chosen].tokens) - int(texts.lengths[first + chosen])
        parts = _faithfulness(labels, probabilities[first]) if asked.faithfulness else None
        return Found(explanation, unread, parts)

    def _call(
        self,
        texts: EncodedTexts,
        sizes: Int[np.ndarray, " n"],
        ablated: bool,
        most: int,
        length: int,
    ) -> tuple[Float[np.ndarray, "n t"], Float[np.ndarray, "n t"], Float[np.ndarray, "n k c"]]:
        """Scores, masks and logits of the texts' rows, padded to one of the shapes."""
        rows = most * texts.choices
        batch = texts.batch(range(len(texts)), rows, length)
        parts: Any = (batch, np.pad(sizes, (0, rows - len(sizes))))
        found = jax.device_get(self._calls[ablated](self.trained.params, parallel.shard(parts)))
        scores, mask, logits = (a.reshape(-1, *a.shape[2:])[: len(texts)] for a in found)
        return scores, mask, logits


def _body(method: Method, ablated: bool) -> Any:
    """(params, (batch, sizes)) -> scores, mask [B, T], logits [B, 1, C], or [B, 3, C] if ablated.

    sizes: tokens to select of each text, the best-scored; 0: what the method selects.
    """

    def body(params: Any, asked: Any) -> tuple[Array, Array, Array]:
        batch, sizes = asked
        scores, mask = method.select(params, batch, None)
        mask = jnp.where(sizes[:, None] > 0, _best(scores, batch.valid, sizes), mask)
        seen = (batch.valid if method.predicts_from_all else mask,)
        if ablated:
            seen = (batch.valid, mask, batch.valid * (1 - mask))
        # As rows of one batch: the GRU's kernel has room for them.
        several = jax.tree.map(lambda leaf: jnp.concatenate([leaf] * len(seen)), batch)
        logits = method.model.predict(params, several, jnp.concatenate(seen), None).logits
        return scores, mask, logits.reshape(len(seen), len(mask), -1).swapaxes(0, 1)

    return body


def _best(
    scores: Float[Array, "b t"], valid: Float[Array, "b t"], sizes: Int[Array, " b"]
) -> Float[Array, "b t"]:
    """1 at so many best-scored tokens of each text; of equal scores the first wins."""
    order = jnp.argsort(jnp.where(valid > 0, -scores, jnp.inf), axis=-1, stable=True)
    rank = jnp.argsort(order, axis=-1, stable=True)
    return (rank < sizes[:, None]).astype(scores.dtype) * valid


def _size(sparsity: float | None, tokens: int) -> int:
    """Tokens in a share of a text, at least one; as `masks.top_k_percent` rounds."""
    return 0 if sparsity is None else max(1, round(sparsity * tokens))


def _faithfulness(labels: Sequence[str], p: Float[np.ndarray, "3 c"]) -> Faithfulness:
    best = int(p[WHOLE].argmax())
    whole, rationale, rest = (dict(zip(labels, row.tolist(), strict=True)) for row in p)
    drop = p[WHOLE, best] - p[:, best]
    return Faithfulness(
        labels[best], whole, rationale, rest, float(drop[REST]), float(drop[RATIONALE])
    )
