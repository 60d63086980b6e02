"""Sparsity, continuity, cross-entropy and the norm of the representation.

Every term comes as a sum over the inputs of a batch. Sums add up over devices, so a loss that is a
function of sums is the same on one device and on many (`methods/base.py`).
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

Sums = dict[str, Float[Array, ""]]


@dataclasses.dataclass(frozen=True)
class Objective:
    """Weights and definitions of the losses; where paper and release differ, a switch."""

    sparsity: float
    """Target share s of selected units."""
    lambda_sparsity: float
    lambda_continuity: float
    lambda_cross_entropy: float
    """1 in the paper, 0.9 in the release."""
    lambda_norm: float
    sparsity_per: Literal["batch", "input"]
    """batch (release): |sum of masks / sum of units - s|. input (paper): mean of each input's."""
    continuity: Literal["mean", "sum"]
    """mean (release): over inputs * (max_length - 1) positions. sum (paper): per input."""
    max_length: int
    """Units after padding; only the mean continuity divides by it."""


def rationale_sums(
    objective: Objective,
    mask: Float[Array, "b t"],
    units: Float[Array, "b t"],
    selectable: Float[Array, "b t"],
    weight: Float[Array, " b"],
) -> Sums:
    """Sums behind omega(M), N2R eq. 5: selected, units, distance, transitions, inputs.

    units: 1 at the real units of an input. selectable: 1 where the extractor may select.
    """
    selected, length = mask.sum(1), units.sum(1)
    distance = jnp.abs(selected / jnp.maximum(length, 1) - objective.sparsity)
    step = (mask[:, 1:] - mask[:, :-1]) * selectable[:, 1:]
    # jnp.abs has slope 1 at 0, where most differences of a hard mask are; sign has slope 0 there.
    transitions = (step * jax.lax.stop_gradient(jnp.sign(step))).sum(1)
    return {
        "inputs": weight.sum(),
        "selected": (weight * selected).sum(),
        "units": (weight * length).sum(),
        "distance": (weight * distance).sum(),
        "transitions": (weight * transitions).sum(),
    }


def omega(objective: Objective, sums: Sums) -> Float[Array, ""]:
    """lambda1 |sparsity - s| + lambda2 continuity, N2R eq. 5, by the objective's definitions."""
    if objective.sparsity_per == "batch":
        distance = jnp.abs(sums["selected"] / sums["units"] - objective.sparsity)
    else:
        distance = sums["distance"] / sums["inputs"]
    return objective.lambda_sparsity * distance + objective.lambda_continuity * continuity(
        objective, sums
    )


def continuity(objective: Objective, sums: Sums) -> Float[Array, ""]:
    """How often the mask switches: see `Objective.continuity`."""
    padded = objective.max_length - 1 if objective.continuity == "mean" else 1
    return sums["transitions"] / (sums["inputs"] * padded)


def task_sums(
    logits: Float[Array, "b c"], label: Int[Array, " b"], weight: Float[Array, " b"]
) -> Sums:
    """Sums of cross-entropy (nats), correct predictions and inputs."""
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    correct = (logits.argmax(-1) == label).astype(jnp.float32)
    return {
        "inputs": weight.sum(),
        "cross_entropy": (weight * cross_entropy).sum(),
        "correct": (weight * correct).sum(),
    }


def norm_sums(representation: Float[Array, "b f"], weight: Float[Array, " b"]) -> Sums:
    """Sums of log(1e-6 + ||Enc(Z)||_2), N2R eq. 8, and of the norm itself."""
    squared = (representation**2).sum(-1)
    # The root has no slope at 0: a row that only fills the batch up would make a NaN.
    norm = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
    return {
        "inputs": weight.sum(),
        "log_norm": (weight * jnp.log(1e-6 + norm)).sum(),
        "norm": (weight * norm).sum(),
    }
