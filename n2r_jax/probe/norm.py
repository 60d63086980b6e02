"""Whether the norm, which N2R maximises, grows with the number of selected tokens alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from n2r_jax.charts import Panel, Series
from n2r_jax.evaluate import Evaluation
from n2r_jax.faithful import MaskedRun
from n2r_jax.probe.masks import first_by

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)


def norm_by_count(evaluation: Evaluation, predict: MaskedRun, *, seed: int = 0) -> dict[str, Any]:
    """Return norm and selected tokens of every text, their correlations, and norms of random masks.

    `random` holds the mean norm over texts of random masks of each share of a text's tokens: what
    the number alone brings. Correlations are None where either does not vary.
    """
    mask, valid = evaluation.outputs.mask, evaluation.valid
    selected, norm = mask.sum(1), predict(evaluation.texts, mask).norm
    noise, length = np.random.default_rng(seed).random(mask.shape), valid.sum(1)
    drawn = [first_by(noise, valid, np.rint(share * length).astype(int)) for share in SHARES]
    norms = [predict(evaluation.texts, own).norm for own in drawn]
    return {
        "texts": len(norm),
        **correlations(selected, norm),
        "selected": selected.tolist(),
        "norm": norm.round(6).tolist(),
        "random": {
            "share": list(SHARES),
            "selected": [float(own.sum(1).mean()) for own in drawn],
            "norm": [float(own.mean()) for own in norms],
        },
    }


def correlations(
    one: Int[np.ndarray, " n"], other: Float[np.ndarray, " n"]
) -> dict[str, float | None]:
    """Return Spearman's and Pearson's correlation, None where one of both is constant."""
    from scipy import stats

    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return {"spearman": None, "pearson": None}
    tests = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}
    return {name: float(test(one, other).statistic) for name, test in tests.items()}


def panels(found: dict[str, Any]) -> list[Panel]:
    """Return a cloud of texts, and the means of random masks by their size."""
    random = found["random"]
    y_label = "||Enc(Z)||"
    own = Series("", found["selected"], found["norm"], "points")
    drawn = Series("", random["selected"], random["norm"])
    return [
        Panel("the run's own masks, by text", "selected tokens", y_label, [own]),
        Panel("random masks, mean over texts", "mean of selected tokens", y_label, [drawn]),
    ]
