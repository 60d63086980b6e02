"""How much a predictor's say changes without a rationale, and with the rationale alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from n2r_jax import masks
from n2r_jax.compat import FaithfulTo
from n2r_jax.metrics.faithfulness import Denominator, aopc, csd, log_odds, probability_drop

PredictFn = Callable[[Float[np.ndarray, "n t"]], Float[np.ndarray, "n c"]]
"""A mask of every text -> probabilities of the classes."""
DEFINITIONS = {
    "comprehensiveness": "p(y | text) - p(y | text without the rationale), y as predicted from the "
    "text; higher is better",
    "sufficiency": "p(y | text) - p(y | the rationale alone); lower is better",
    "log_odds": "log p(y | text without the rationale) - log p(y | text), nats",
    "csd": "comprehensiveness - sufficiency",
    "aopc": "one of the next two, as config.compat.aopc_denominator says",
    "aopc_k_plus_1": "sum over K / (|K| + 1): UNIREX's tables",
    "aopc_k": "mean over K: ERASER",
    "selected": "of the mask that the run itself selects",
}
OF_NOTHING = {
    "comprehensiveness": "p(y | the rationale) - p(y | nothing), y as predicted from the one; of a "
    "method that sees nothing else (UNIREX's release)",
    "sufficiency": "0 by definition: the rationale is all that the method sees",
    "log_odds": "log p(y | nothing) - log p(y | the rationale), nats",
}


def faithfulness_report(
    predict: PredictFn,
    scores: Float[np.ndarray, "n t"],
    selected: Int[np.ndarray, "n t"],
    valid: Float[np.ndarray, "n t"],
    k: Sequence[float],
    *,
    faithful_to: FaithfulTo = "text",
    denominator: Denominator = "k_plus_1",
) -> dict[str, Any]:
    """Mean comprehensiveness, sufficiency, log-odds and CSD of top-k % rationales and of a mask.

    scores: what units are ranked by. k: percentages; the one of a method's own rationale is 100.
    faithful_to: see `n2r_jax.compat`. Names are in the section's own definitions. 1 + 2 (|K| + 1)
    passes of the text, or 1 + |K| + 1.
    """
    valid = np.asarray(valid, np.float32)
    k = (100.0,) if faithful_to == "rationale" else k
    units = np.asarray(selected, np.float32) * valid if faithful_to == "rationale" else valid
    top = masks.top_k_percent(jnp.asarray(scores, jnp.float32), jnp.asarray(units), k)
    shown = [*np.asarray(top), np.asarray(selected, np.float32)]
    alone = np.stack([_logits(predict(mask * valid)) for mask in shown])
    if faithful_to == "text":
        full = _logits(predict(valid))
        without = np.stack([_logits(predict((1 - mask) * valid)) for mask in shown])
        values = {
            "comprehensiveness": probability_drop(full, without).mean(1),
            "sufficiency": probability_drop(full, alone).mean(1),
            "log_odds": log_odds(full, without).mean(1),
        }
    else:
        values = _against_nothing(alone, _logits(predict(np.zeros_like(valid))))
    values["csd"] = csd(values["comprehensiveness"], values["sufficiency"])
    definitions = DEFINITIONS if faithful_to == "text" else DEFINITIONS | OF_NOTHING
    section: dict[str, Any] = {"k": list(k), "definitions": definitions}
    for name, value in values.items():
        per_k = value[:-1]
        section[name] = {
            "per_k": per_k.tolist(),
            "aopc": float(aopc(per_k, denominator)),
            "aopc_k_plus_1": float(aopc(per_k, "k_plus_1")),
            "aopc_k": float(aopc(per_k, "k")),
            "selected": float(value[-1]),
        }
    return section


def _against_nothing(
    alone: Float[np.ndarray, "k n c"], nothing: Float[np.ndarray, "n c"]
) -> dict[str, Float[np.ndarray, " k"]]:
    """What each rationale's own prediction loses when nothing at all is shown."""
    drops = [probability_drop(rationale, nothing[None]).mean() for rationale in alone]
    odds = [log_odds(rationale, nothing[None]).mean() for rationale in alone]
    return {
        "comprehensiveness": np.asarray(drops),
        "sufficiency": np.zeros(len(alone)),
        "log_odds": np.asarray(odds),
    }


def _logits(probabilities: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
