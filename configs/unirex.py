"""What the UNIREX configs share (Chan et al., ICML 2022): BigBird, or a GRU or GCN if asked for.

A config's argument is the method, and the model after a comma: `configs/unirex_sst.py:dlm_fp` or
`configs/unirex_sst.py:slm_fp,gru`. Loss weights are the README's; the paper chooses them on dev
among 0.5, 0.7 and 1.0 for every variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from configs import base
from n2r_jax.errors import UserError

MODELS = {"bigbird": "transformer", "gru": "gru", "gcn": "gcn"}
RATES = {"bigbird": 2e-5, "gru": 1e-3, "gcn": 3e-3}


def get_config(
    argument: str,
    data: Mapping[str, Any],
    *,
    buckets: Sequence[int],
    sparsity: float,
    otherwise: str = "bigbird",
) -> ConfigDict:
    """Return the settings of a method on a data set.

    data: fields of config.data. sparsity: the share of units in the mask that is reported beside
    the top-k ones; about that of the gold rationales. otherwise: the model where none is named.
    Raises UserError for an unknown model.
    """
    method, _, model = argument.partition(",")
    config = base.get_config()
    with config.unlocked():
        config.method = method
        config.seed = 0  # the paper's are 0, 1 and 2
        config.data.update(data)
        config.batching.update(batch_size=32, buckets=tuple(buckets), balance=False)
        config.evaluation.batch_size = 32
        config.training.update(epochs=10, patience=5, checkpoint_every=0)
        config.training.update(schedule="linear", warmup=0.1)
        config.objective.update(sparsity=sparsity, lambda_cross_entropy=1.0)
        config.encoder.shared = method.startswith("slm")
        _use_model(config, model or otherwise)
    return config


def _use_model(config: ConfigDict, model: str) -> None:
    if model not in MODELS:
        raise UserError(f"the config's model is {model!r}; choose {' or '.join(MODELS)}")
    config.model.name = MODELS[model]
    config.training.learning_rate = RATES[model]
    if model == "gcn":
        config.model.update(units=64, dropout=0.0)
        config.graph.update(layers=4, weights="one")
        config.objective.lambda_continuity = 0.0
    if model == "bigbird":
        config.model.dropout = 0.0  # heads have none of their own
        # A hidden token keeps its place and is attended to by no other.
        config.encoder.update(pretrained="google/bigbird-roberta-base", masking="attention")
