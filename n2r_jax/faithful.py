"""A run's predictor behind any mask: what it says of a text without some of its tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Shaped

from n2r_jax import assemble
from n2r_jax.data.batching import Batches
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.errors import UserError
from n2r_jax.inference import TrainedRun
from n2r_jax.training import parallel

MaskedPredictor = Callable[[EncodedTexts, Shaped[np.ndarray, "n t"]], Float[np.ndarray, "n c"]]
"""(texts, mask of 0 and 1 for their tokens) -> probabilities of the classes."""


class MaskedOutputs(NamedTuple):
    """What a predictor makes of N texts behind masks."""

    probabilities: Float[np.ndarray, "n c"]
    norm: Float[np.ndarray, " n"]
    """||Enc(Z)||, the norm of its representation."""


MaskedRun = Callable[[EncodedTexts, Shaped[np.ndarray, "n t"]], MaskedOutputs]
"""(texts, mask of 0 and 1 for their tokens) -> probabilities and norms."""


def masked_predictor(trained: TrainedRun, *, compact: bool = False) -> MaskedPredictor:
    """Return the probabilities alone of `masked_run`."""
    run = masked_run(trained, compact=compact)
    return lambda texts, mask: run(texts, mask).probabilities


def masked_run(trained: TrainedRun, *, compact: bool = False) -> MaskedRun:
    """Return the run's predictor as a function of the mask; make it once, it compiles.

    compact: what the mask leaves out is taken out, and the rest stands together; otherwise it is
    hidden in its place, as in training. Raises UserError where a model cannot take units out.
    A mask may be wider than the texts, and whatever it says of padding is left out. A mask of
    zeros is a text of which the predictor sees nothing. No dropout, no noise.
    """
    model = trained.method.model
    predict = model.predict_compact if compact else model.predict
    if predict is None:
        raise UserError("this model cannot take units out; set config.compat.faith_eval_input=mask")

    def body(params: Any, batch_and_mask: Any) -> Any:
        batch, mask = batch_and_mask
        return predict(params, batch, mask * batch.valid, None)

    mapped = parallel.data_parallel_rows(body)

    def predict_with_masks(texts: EncodedTexts, mask: Shaped[np.ndarray, "n t"]) -> MaskedOutputs:
        found = MaskedOutputs(np.zeros((len(texts), len(trained.labels))), np.zeros(len(texts)))
        for length, members, rows in _plan(trained, texts):
            shown = _fitted(mask[members], rows, length)
            parts: Any = (texts.batch(members, rows, length), shown)
            predicted = mapped(trained.params, parallel.shard(parts))
            logits, states = (np.asarray(part, np.float64) for part in predicted)
            probabilities = _softmax(logits.reshape(-1, logits.shape[-1]))
            norms = np.linalg.norm(states.reshape(-1, states.shape[-1]), axis=-1)
            found.probabilities[members] = probabilities[: len(members)]
            found.norm[members] = norms[: len(members)]
        return found

    return predict_with_masks


def _plan(trained: TrainedRun, texts: EncodedTexts) -> list[tuple[int, np.ndarray, int]]:
    """(padded length, texts, rows) of every batch, as inference makes them."""
    devices = jax.local_device_count()
    size = min(trained.config.evaluation.batch_size, max(1, texts.questions))
    questions = -(-size // devices) * devices
    bounds = assemble.length_buckets(trained.config)
    batches = Batches(texts, np.arange(texts.questions), bounds, questions, seed=None)
    return [(length, members, batches.rows) for length, members in batches.plan(0)]


def _fitted(
    mask: Shaped[np.ndarray, "k t"], rows: int, length: int
) -> Float[np.ndarray, "rows length"]:
    """A mask cut, or filled up with zeros, to a batch's shape."""
    fitted = np.zeros((rows, length), np.float32)
    cut = mask[:, :length]
    fitted[: len(cut), : cut.shape[1]] = cut
    return fitted


def _softmax(logits: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
