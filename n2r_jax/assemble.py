"""From a config to the objects it names: vocabulary, model, method, optimisers, batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from n2r_jax.data.batching import Batches, balanced
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.records import Source
from n2r_jax.data.vocabulary import Vocabulary, build_vocabulary
from n2r_jax.errors import UserError
from n2r_jax.methods import METHODS, Method, Settings
from n2r_jax.models.gru_text import gru_text_model
from n2r_jax.models.interface import RationaleModel
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training.state import Optimizers

NOTHING: Mapping[str, Any] = MappingProxyType({})


def make_vocabulary(config: Any, train: Source) -> tuple[Vocabulary, Float[np.ndarray, "v e"]]:
    """The words of the configured vectors file, or those of train with seeded vectors."""
    from n2r_jax.data.vectors import read_vectors

    data, dimension = config.data, config.model.dimension
    vectors = None
    if data.vectors:
        limit = data.vectors_limit or None
        vectors = read_vectors(data.vectors, dimension=dimension, limit=limit)
    token_lists = [] if vectors else [train[i].tokens for i in range(len(train))]
    vocabulary, table = build_vocabulary(
        token_lists,
        dimension=dimension,
        seed=config.data.seed,
        vectors=vectors,
        min_count=data.min_count,
        lowercase=data.lowercase,
    )
    return vocabulary, scale_vectors(table, data.vectors_norm) if data.vectors_norm else table


def scale_vectors(table: Float[np.ndarray, "v e"], norm: float) -> Float[np.ndarray, "v e"]:
    """Every vector at the same length; zeros stay zeros.

    The norm of Enc(Z) grows with the length of what goes in. Where the longest vectors are topical
    words (food, order), N2R selects those; at one length it is left to what the predictor learnt.
    """
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    return (table / np.where(lengths > 0, lengths, 1.0) * norm).astype(np.float32)


def make_model(config: Any, table: Float[np.ndarray, "v e"], classes: int) -> RationaleModel:
    """The configured encoder in its extractor-predictor pair."""
    model = config.model
    if model.name not in ("gru",):
        raise UserError(f"config.model.name {model.name!r} is unknown; choose gru")
    return gru_text_model(
        jnp.asarray(table), units=model.units, classes=classes, dropout_rate=model.dropout
    )


def make_method(config: Any, model: RationaleModel, varied: Mapping[str, Any] = NOTHING) -> Method:
    """The configured method with its objective and switches.

    varied: fields of the objective that are not the config's, which may be traced numbers.
    """
    if config.method not in METHODS:
        raise UserError(f"config.method {config.method!r} is unknown; choose {', '.join(METHODS)}")
    chosen = config.objective
    for field, allowed in (("sparsity_per", ("batch", "input")), ("continuity", ("mean", "sum"))):
        if chosen[field] not in allowed:
            raise UserError(
                f"config.objective.{field} {chosen[field]!r} is unknown; choose "
                f"{' or '.join(allowed)}"
            )
    objective = Objective(
        sparsity=chosen.sparsity,
        lambda_sparsity=chosen.lambda_sparsity,
        lambda_continuity=chosen.lambda_continuity,
        lambda_cross_entropy=chosen.lambda_cross_entropy,
        lambda_norm=chosen.lambda_norm,
        sparsity_per=chosen.sparsity_per,
        continuity=chosen.continuity,
        max_length=config.data.max_length,
    )
    settings = Settings(
        dataclasses.replace(objective, **varied),
        temperature=chosen.temperature,
        omega_in_update_1=chosen.omega_in_update_1,
        predictor_coasts=chosen.predictor_coasts,
    )
    return METHODS[config.method](model, settings)


def make_optimizers(config: Any, method: Method, learning_rate: Any = None) -> Optimizers:
    """One Adam for each trained group: a group's steps count its own updates.

    learning_rate: in place of the config's; may be a traced number.
    """
    rate = config.training.learning_rate if learning_rate is None else learning_rate
    return {group: optax.adam(rate) for group in method.trained}


def length_buckets(config: Any) -> tuple[int, ...]:
    """Lengths to pad to: the configured ones below `max_length`, and `max_length`."""
    longest = config.data.max_length
    return (*(b for b in config.batching.buckets if b < longest), longest)


def make_train_batches(
    config: Any, texts: EncodedTexts, *, process: int, processes: int
) -> Batches:
    """Shuffled batches of the (balanced) training texts."""
    everything = np.arange(len(texts))
    indices = balanced(texts.labels, config.seed) if config.batching.balance else everything
    return Batches(
        texts,
        indices,
        length_buckets(config),
        config.batching.batch_size,
        seed=config.seed,
        epochs=config.training.epochs,
        process=process,
        processes=processes,
    )


def make_evaluation_batches(
    config: Any, texts: EncodedTexts, *, process: int = 0, processes: int = 1
) -> Batches:
    """All texts in order of length bucket, nothing shuffled or dropped."""
    return Batches(
        texts,
        np.arange(len(texts)),
        length_buckets(config),
        config.evaluation.batch_size,
        seed=None,
        process=process,
        processes=processes,
    )


def check_labels(source: Source, labels: Sequence[str], split: str) -> None:
    """Refuse a split of another label set than the training split's."""
    if tuple(source.label_names) != tuple(labels):
        raise UserError(
            f"the {split} split has labels {tuple(source.label_names)}, train has "
            f"{tuple(labels)}; give both the same by --config.data.labels"
        )
