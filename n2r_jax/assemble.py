"""From a config to the objects it names: method, optimisers, batches. For the model see
`assemble_model`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import optax

from n2r_jax.compat import Compat
from n2r_jax.data.batching import Batches, balanced
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.gold import (
    GoldBatches,
    authors_schedule_steps,
    choose_gold,
    forget_other_gold,
)
from n2r_jax.data.records import Source
from n2r_jax.errors import UserError
from n2r_jax.methods import METHODS, Method, Settings
from n2r_jax.models.interface import RationaleModel
from n2r_jax.objectives.faithfulness import FaithfulnessObjective
from n2r_jax.objectives.plausibility import PlausibilityObjective
from n2r_jax.objectives.rationale import Objective
from n2r_jax.objectives.unirex import UnirexObjective
from n2r_jax.training.optimizers import Schedule, adam, rate_of
from n2r_jax.training.state import Optimizers

NOTHING: Mapping[str, Any] = MappingProxyType({})


def make_method(config: Any, model: RationaleModel, varied: Mapping[str, Any] = NOTHING) -> Method:
    """The configured method, or the last of its stages, which is what a run ends with."""
    return make_stages(config, model, varied)[-1]


def make_stages(
    config: Any, model: RationaleModel, varied: Mapping[str, Any] = NOTHING
) -> tuple[Method, ...]:
    """The configured method's stages, of which most have one, with its objective and switches.

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
        unirex=make_unirex(config.unirex, make_compat(config).kl_per_class),
        compat=make_compat(config),
    )
    made = METHODS[config.method](model, settings)
    return made if isinstance(made, tuple) else (made,)


def make_compat(config: Any) -> Compat:
    """The switches of UNIREX; runs of old have none, nor a method that looks at them."""
    return Compat(**config.get("compat", {}))


def make_unirex(chosen: Any, kl_per_class: bool) -> UnirexObjective:
    """UNIREX's part of the config."""
    return UnirexObjective(
        k=tuple(chosen.k),
        weight_comprehensiveness=chosen.weight_comprehensiveness,
        weight_sufficiency=chosen.weight_sufficiency,
        weight_plausibility=chosen.weight_plausibility,
        faithfulness=FaithfulnessObjective(
            chosen.comprehensiveness,
            chosen.sufficiency,
            chosen.comprehensiveness_margin,
            chosen.sufficiency_margin,
            kl_per_class,
        ),
        plausibility=PlausibilityObjective(chosen.plausibility, chosen.plausibility_margin),
        weight_agreement=chosen.weight_agreement,
        fresh_k=chosen.fresh_k,
        attribution_pooling=chosen.attribution_pooling,
        steps=chosen.steps,
        passes_at_once=chosen.passes_at_once,
    )


def make_optimizers(
    config: Any, method: Method, learning_rate: Any = None, steps: int = 1
) -> Optimizers:
    """One Adam for each trained group: a group's steps count its own updates.

    learning_rate: in place of the config's; may be a traced number. steps: training iterations of
    the run, which schedules other than a constant need.
    """
    training, encoder = config.training, config.encoder
    rate = training.learning_rate if learning_rate is None else learning_rate
    is_pretrained = config.model.name == "transformer"
    head = encoder.head_learning_rate / training.learning_rate if is_pretrained else 0.0
    by_path = partial(rate_of, decay=encoder.layer_decay, frozen=encoder.frozen, head=head or 1.0)

    def optimizer(group: str) -> optax.GradientTransformation:
        updates = sum(group in update.trains for update in method.updates)
        schedule = Schedule(training.schedule, training.warmup, steps * updates)
        layers = method.model.layers
        own = partial(by_path, layers=layers) if layers else None
        return adam(
            rate,
            schedule,
            weight_decay=training.weight_decay,
            clip_norm=training.clip_norm,
            rate_of=own,
            corrected=training.get("optimizer", "adam") == "adam",  # runs of old do not say it
        )

    return {group: optimizer(group) for group in method.trained}


def length_buckets(config: Any) -> tuple[int, ...]:
    """Lengths to pad to: the configured ones below `max_length`, and `max_length`."""
    longest = config.data.max_length
    return (*(b for b in config.batching.buckets if b < longest), longest)


def make_train_batches(
    config: Any, texts: EncodedTexts, *, process: int, processes: int
) -> Batches:
    """Shuffled batches of the (balanced) training texts; with few gold rationales a part of each
    is drawn from the texts that keep theirs. Raises UserError where that cannot be.
    """
    indices = np.arange(texts.questions)
    if config.batching.balance:
        indices = balanced(texts.question_labels, config.seed)
    unirex = config.unirex
    given: Any = {
        "indices": indices,
        "bounds": length_buckets(config),
        "batch_size": config.batching.batch_size,
        "seed": config.seed,
        "epochs": config.training.epochs,
        "process": process,
        "processes": processes,
    }
    if unirex.gold_percent == 100:
        return Batches(texts, **given)
    gold = choose_gold(texts, indices, unirex.gold_percent, unirex.gold_seed)
    return GoldBatches(forget_other_gold(texts, gold), **given, gold=gold, beta=unirex.gold_beta)


def schedule_steps(config: Any, batches: Batches) -> int:
    """Training steps that a schedule of the learning rate is made for."""
    if isinstance(batches, GoldBatches) and config.compat.gold_schedule == "authors":
        counts = (len(batches.indices), len(batches.gold), batches.batch_size)
        return authors_schedule_steps(*counts, batches.epochs)
    return batches.epochs * batches.per_epoch


def make_evaluation_batches(
    config: Any, texts: EncodedTexts, *, process: int = 0, processes: int = 1
) -> Batches:
    """All texts in order of length bucket, nothing shuffled or dropped."""
    return Batches(
        texts,
        np.arange(texts.questions),
        length_buckets(config),
        config.evaluation.batch_size,
        seed=None,
        process=process,
        processes=processes,
    )


def check_choices(found: int, wanted: int, name: str) -> None:
    """Refuse texts that are not questions of as many choices as the training split's."""
    if found != wanted:
        said = ["no questions" if n == 1 else f"questions of {n} choices" for n in (found, wanted)]
        raise UserError(
            f"{name} has {said[0]}, train has {said[1]}; give both the same kind of text"
        )


def check_labels(source: Source, labels: Sequence[str], split: str) -> None:
    """Refuse a split of another label set than the training split's."""
    if tuple(source.label_names) != tuple(labels):
        raise UserError(
            f"the {split} split has labels {tuple(source.label_names)}, train has "
            f"{tuple(labels)}; give both the same by --config.data.labels"
        )
