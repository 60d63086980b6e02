"""How much a predictor's say changes without a rationale, and with the rationale alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from n2r_jax import masks
from n2r_jax.metrics.faithfulness import aopc, csd, log_odds, probability_drop

PredictFn = Callable[[Float[np.ndarray, "n t"]], Float[np.ndarray, "n c"]]
"""A mask of every text -> probabilities of the classes."""
DEFINITIONS = {
    "comprehensiveness": "p(y | text) - p(y | text without the rationale), y as predicted from the "
    "text; higher is better",
    "sufficiency": "p(y | text) - p(y | the rationale alone); lower is better",
    "log_odds": "log p(y | text without the rationale) - log p(y | text), nats",
    "csd": "comprehensiveness - sufficiency",
    "aopc_k_plus_1": "sum over K / (|K| + 1): UNIREX's tables",
    "aopc_k": "mean over K: ERASER",
    "selected": "of the mask that the run itself selects",
}


def faithfulness_report(
    predict: PredictFn,
    scores: Float[np.ndarray, "n t"],
    selected: Int[np.ndarray, "n t"],
    valid: Float[np.ndarray, "n t"],
    k: Sequence[float],
) -> dict[str, Any]:
    """Mean comprehensiveness, sufficiency, log-odds and CSD of top-k % rationales and of a mask.

    scores: what units are ranked by. k: percentages. Names are in `DEFINITIONS`. Texts lose their
    units in the way that the run's predictor was trained with; 1 + 2 (|K| + 1) passes.
    """
    valid = np.asarray(valid, np.float32)
    full = _logits(predict(valid))
    ranked = jnp.asarray(scores, jnp.float32)
    top = np.asarray(masks.top_k_percent(ranked, jnp.asarray(valid), k))
    shown = [*top, np.asarray(selected, np.float32)]
    alone = np.stack([_logits(predict(mask * valid)) for mask in shown])
    without = np.stack([_logits(predict((1 - mask) * valid)) for mask in shown])
    values = {
        "comprehensiveness": probability_drop(full, without).mean(1),
        "sufficiency": probability_drop(full, alone).mean(1),
        "log_odds": log_odds(full, without).mean(1),
    }
    values["csd"] = csd(values["comprehensiveness"], values["sufficiency"])
    section: dict[str, Any] = {"k": list(k), "definitions": DEFINITIONS}
    for name, value in values.items():
        per_k = value[:-1]
        section[name] = {
            "per_k": per_k.tolist(),
            "aopc_k_plus_1": float(aopc(per_k, "k_plus_1")),
            "aopc_k": float(aopc(per_k, "k")),
            "selected": float(value[-1]),
        }
    return section


def _logits(probabilities: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
