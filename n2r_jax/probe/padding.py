"""Whether a text's reasons depend on how far it is padded, which they must not."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.inference import Rationalizer, TrainedRun

TOLERANCE = 1e-4
"""Of probabilities: another padding is another order of sums, which moves float32 by about 1e-6."""
STEP = 8


def padding_invariance(trained: TrainedRun, texts: EncodedTexts) -> dict[str, Any]:
    """Run once with texts padded to about their size, and once all padded to the maximum length.

    Changes are of probabilities, of tokens to be selected and of classes; those of classes are of
    texts whose mask stayed the same, since a score that lies on the threshold may round to either
    side of it. holds: neither moved by more than TOLERANCE; None where all texts are about as long
    as the maximum, so that there was nothing to pad otherwise.
    """
    longest = trained.config.data.max_length
    quarter = -(-longest // (4 * STEP)) * STEP
    bounds = (*range(quarter, longest, quarter), longest)
    size = trained.config.evaluation.batch_size
    near, far = (
        Rationalizer(trained.method, own, len(trained.labels))(trained.params, texts, size)
        for own in (bounds, (longest,))
    )
    same = (near.mask == far.mask).all(-1)
    scores = _largest(near.scores, far.scores)
    classes = _largest(near.probabilities[same], far.probabilities[same])
    otherwise = int((texts.sizes <= max(bounds[:-1], default=0)).sum())
    return {
        "holds": max(scores, classes) <= TOLERANCE if otherwise else None,
        "texts": len(texts),
        "padded_otherwise": otherwise,
        "largest_change_of_scores": scores,
        "largest_change": classes,
        "changed_masks": int((~same).sum()),
        "tolerance": TOLERANCE,
    }


def _largest(one: Float[np.ndarray, " ..."], other: Float[np.ndarray, " ..."]) -> float:
    return float(np.abs(one.astype(np.float64) - other).max(initial=0.0))
