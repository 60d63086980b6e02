"""The updates that cooperative methods are made of: extractor and predictor on a shared mask."""

from __future__ import annotations

import dataclasses

import jax
from jaxtyping import Array

from n2r_jax import masks
from n2r_jax.compat import Compat
from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Metrics, Update, sampled_mask, select_by_extractor
from n2r_jax.models.interface import Features, Params, RationaleModel
from n2r_jax.objectives.rationale import (
    Objective,
    Sums,
    continuity,
    norm_sums,
    omega,
    rationale_sums,
    task_sums,
)
from n2r_jax.objectives.unirex import UnirexObjective

BOTH = ("extractor", "predictor")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What these methods need besides a model."""

    objective: Objective
    temperature: float = 1.0
    omega_in_update_1: bool = False
    """N2R: the extractor also steps on omega during the predictor's update (release: yes)."""
    predictor_coasts: bool = False
    """In update 2 Adam's momentum goes on moving the predictor (PyTorch before 2.0: yes)."""
    noise: masks.NoiseFn = masks.logistic_noise
    unirex: UnirexObjective = dataclasses.field(default_factory=UnirexObjective)
    """Of UNIREX's methods alone."""
    compat: Compat = dataclasses.field(default_factory=Compat)
    """Likewise."""


def cooperative_method(
    name: str, model: RationaleModel, settings: Settings, *updates: Update
) -> Method:
    """A method whose mask comes from the extractor's scores."""
    select = select_by_extractor(model, settings.noise, settings.temperature)
    return Method(name, model, updates, select)


def prediction_update(
    model: RationaleModel,
    settings: Settings,
    trains: tuple[str, ...],
    *,
    omega_too: bool,
    stop_gradient: bool = False,
) -> Update:
    """Cross-entropy of the prediction from the rationale, with omega where the extractor moves."""
    objective = settings.objective

    def sums(params: Params, features: Features, batch: Batch, key: Array) -> Sums:
        for_mask, for_predictor = jax.random.split(key)
        mask = sampled_mask(
            model, settings.noise, settings.temperature, params, features, batch, for_mask
        )
        seen = jax.lax.stop_gradient(mask) if stop_gradient else mask
        prediction = model.predict(params, batch, seen, for_predictor)
        return task_sums(prediction.logits, batch.label, batch.weight) | rationale_sums(
            objective, mask, batch.valid, model.selectable(batch), batch.weight
        )

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        cross_entropy = sums["cross_entropy"] / sums["inputs"]
        total = objective.lambda_cross_entropy * cross_entropy
        if omega_too:
            total = total + omega(objective, sums)
        return total, {
            "cross_entropy": (sums["cross_entropy"], sums["inputs"]),
            "accuracy": (sums["correct"], sums["inputs"]),
            "loss/predictor": (total * sums["inputs"], sums["inputs"]),
        } | _selection(objective, sums)

    return Update("predictor", (*trains, *model.shared), sums, loss)


def norm_update(model: RationaleModel, settings: Settings) -> Update:
    """The extractor alone on -lambda_n mean log(1e-6 + ||Enc(Z)||) + omega (N2R eq. 8)."""
    objective = settings.objective

    def sums(params: Params, features: Features, batch: Batch, key: Array) -> Sums:
        for_mask, for_predictor = jax.random.split(key)
        mask = sampled_mask(
            model, settings.noise, settings.temperature, params, features, batch, for_mask
        )
        prediction = model.predict(constant(params, model.shared), batch, mask, for_predictor)
        return norm_sums(prediction.representation, batch.weight) | rationale_sums(
            objective, mask, batch.valid, model.selectable(batch), batch.weight
        )

    def loss(sums: Sums) -> tuple[Array, Metrics]:
        total = -objective.lambda_norm * sums["log_norm"] / sums["inputs"] + omega(objective, sums)
        return total, {
            "norm": (sums["norm"], sums["inputs"]),
            "loss/extractor": (total * sums["inputs"], sums["inputs"]),
        }

    coasts = ("predictor",) if settings.predictor_coasts else ()
    return Update("extractor", ("extractor", *model.shared), sums, loss, coasts)


def constant(params: Params, groups: tuple[str, ...]) -> Params:
    """Parameters through whose `groups` no gradient flows."""
    return params | {group: jax.lax.stop_gradient(params[group]) for group in groups}


def _selection(objective: Objective, sums: Sums) -> Metrics:
    """What is selected: sparsity is micro (selected units / real units of all inputs)."""
    return {
        "sparsity": (sums["selected"], sums["units"]),
        "continuity": (continuity(objective, sums) * sums["inputs"], sums["inputs"]),
    }
