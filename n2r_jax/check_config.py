"""Settings that cannot work are told at once, before any data is read."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from n2r_jax.errors import UserError
from n2r_jax.training.optimizers import OPTIMIZERS, SCHEDULES

AT_LEAST_ONE = (
    "model.units",
    "model.dimension",
    "graph.layers",
    "data.max_length",
    "batching.batch_size",
    "evaluation.batch_size",
    "training.epochs",
    "training.log_every",
)
AT_LEAST_ZERO = (
    "data.vectors_limit",
    "evaluation.bootstrap",
    "training.checkpoint_every",
    "training.patience",
    "training.weight_decay",
    "training.clip_norm",
    "encoder.frozen",
    "encoder.head_learning_rate",
)
POSITIVE = ("training.learning_rate", "objective.temperature", "objective.sparsity")
BELOW_ONE = ("model.dropout", "encoder.dropout", "encoder.attention_dropout", "training.warmup")
CHOICES = {
    "training.best_mode": ("max", "min"),
    "training.schedule": SCHEDULES,
    "training.optimizer": OPTIMIZERS,
    "data.too_long": ("truncate", "error"),
    "model.name": ("gru", "transformer", "gcn"),
    "graph.pooling": ("max", "mean"),
    "graph.weights": ("degree", "one"),
    "encoder.masking": ("zeroed", "attention", "compaction"),
    "encoder.pooling": ("pooler", "max"),
    "encoder.word_score": ("first", "mean", "max"),
    "encoder.dtype": ("float32", "bfloat16"),
}
INTEGERS = {"batching.buckets": None, "data.sizes": 3}
"""Tuples of integers, and how many there must be (None: any number)."""


def check_config(config: Any) -> None:
    """Raise UserError for the first field whose value cannot work."""
    for lowest, names in ((1, AT_LEAST_ONE), (0, AT_LEAST_ZERO)):
        for name in names:
            _demand(config, name, lambda v, lowest=lowest: v >= lowest, f"at least {lowest}")
    for name in POSITIVE:
        _demand(config, name, lambda v: 0 < v < math.inf, "a number above 0")
    for name in BELOW_ONE:
        _demand(config, name, lambda v: 0 <= v < 1, "from 0 to below 1")
    _demand(config, "encoder.layer_decay", lambda v: 0 < v <= 1, "above 0 and at most 1")
    for name, offered in CHOICES.items():
        _demand(config, name, lambda v, offered=offered: v in offered, " or ".join(offered))
    _demand(config, "unirex.gold_percent", lambda v: 0 < v <= 100, "above 0 and at most 100")
    _demand(config, "data.cache", lambda v: not os.path.isfile(v), "a folder, 'off' or empty")
    if config.model.name == "gcn":
        _check_graph(config)
    for name, count in INTEGERS.items():
        kind = "integers, like (64, 128)" if count is None else f"{count} integers"
        _demand(config, name, lambda v, count=count: _are_integers(v, count), kind)


def _check_graph(config: Any) -> None:
    """Refuse what graphs have not: an order to be continuous in."""
    for name in ("objective.lambda_continuity", "grid.lambda_continuity"):
        section, field = name.split(".")
        if np.any(config[section][field]):
            raise UserError(
                f"config.{name} is {config[section][field]!r}, and nodes of a graph stand in no "
                "order that could be continuous; set it to 0"
            )


def check_best_by(best_by: str, offered: Sequence[str]) -> None:
    """Refuse to choose the best epoch by something that dev does not measure."""
    names = [f"dev/{name}" for name in offered]
    if best_by not in names:
        raise UserError(
            f"config.training.best_by {best_by!r} is not measured; choose {', '.join(names)}"
        )


def _demand(config: Any, name: str, good: Any, wanted: str) -> None:
    section, field = name.split(".")
    value = config[section][field]
    if not good(value):
        raise UserError(f"config.{name} is {value!r}; it must be {wanted}")


def _are_integers(values: Any, count: int | None) -> bool:
    return count in (None, len(values)) and all(type(value) is int for value in values)
