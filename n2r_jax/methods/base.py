"""A method is a tuple of updates; one that trains in stages is a tuple of methods.

Each stage starts from the parameters that the one before it left, where both have them.

A loss here is a function of sums over a batch. Each device makes the sums of its own part, the sums
are added up, and the loss is taken of the totals: the same number on any number of devices, also
where the loss is no mean (the release's sparsity is one ratio for the whole batch). The
training step owns the adding up, so no method knows how many devices there are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float

from n2r_jax import masks
from n2r_jax.compat import Dropout, FaithfulTo
from n2r_jax.data.batch import Batch
from n2r_jax.models.interface import Features, Params, Prediction, RationaleModel
from n2r_jax.objectives.rationale import Sums

Metrics = dict[str, tuple[Array, Array]]
"""Name -> (numerator, denominator): metrics of several steps are merged by adding both."""
SumsFn = Callable[[Params, Features, Batch, Any], Sums]
LossFn = Callable[[Sums], tuple[Array, Metrics]]


@dataclasses.dataclass(frozen=True)
class Update:
    """One gradient step inside a training iteration."""

    name: str
    """'predictor', 'extractor', 'attacker', ..."""
    trains: tuple[str, ...]
    """Parameter groups that move. The gradient is taken with respect to these alone."""
    sums: SumsFn
    """(params, features, batch, key) -> sums over the batch, pure. Without a key there is no
    dropout, and of what draws a mask no sums."""
    loss: LossFn
    """(sums) -> (loss, metrics), pure."""
    coasts: tuple[str, ...] = ()
    """Groups that take an optimiser step with a zero gradient: momentum alone moves them."""


@dataclasses.dataclass(frozen=True)
class Method:
    """Updates run in order on every batch; each sees the parameters the one before left."""

    name: str
    model: RationaleModel
    updates: tuple[Update, ...]
    select: Callable[[Params, Batch, Array | None], tuple[Array, Array]]
    """(params, batch, key) -> (scores, mask) [B, T]; without a key deterministic."""
    predicts_from_all: bool = False
    """The prediction is of the whole text, which the rationale explains (UNIREX); otherwise of the
    rationale alone, and no other unit has a say in it."""
    needs_gold: bool = False
    """It learns from marks of humans, of which there must be some."""
    keeps: tuple[str, ...] = ()
    """Parameter groups that it reads and an earlier stage has trained: they stay as they are."""
    judge: Update | None = None
    """Its loss on dev, without noise, chooses the best epoch, for a stage that leaves alone what
    config.training.best_by speaks of."""
    dropout: Dropout = "on"
    faithful_to: FaithfulTo = "text"
    """What comprehensiveness and sufficiency compare with."""

    @property
    def trained(self) -> tuple[str, ...]:
        """Every parameter group that some update trains, in order of first use."""
        return tuple(dict.fromkeys(group for update in self.updates for group in update.trains))

    @property
    def groups(self) -> tuple[str, ...]:
        """Every parameter group that a checkpoint of it holds."""
        return (*self.trained, *self.keeps)


class Rationale(NamedTuple):
    """What a method makes of a batch at evaluation."""

    scores: Float[Array, "b t"]
    """Probability that a unit is selected."""
    mask: Float[Array, "b t"]
    logits: Float[Array, "b c"]
    representation: Float[Array, "b f"]


def rationalize(
    method: Method, params: Params, batch: Batch, key: Array | None = None
) -> Rationale:
    """Select, then predict from what the method predicts from. A key samples the mask."""
    scores, mask = method.select(params, batch, key)
    seen = batch.valid if method.predicts_from_all else mask
    prediction: Prediction = method.model.predict(params, batch, seen, None)
    return Rationale(scores, mask, *prediction)


def select_by_extractor(
    model: RationaleModel, noise: masks.NoiseFn, temperature: float
) -> Callable[[Params, Batch, Array | None], tuple[Array, Array]]:
    """The selection of every method whose mask comes from the extractor's scores."""

    def select(params: Params, batch: Batch, key: Array | None) -> tuple[Array, Array]:
        scores = model.score(params, model.encode(params, batch), batch, None)
        allowed = model.selectable(batch)
        if key is None:
            mask = masks.arg_max(scores)
        else:
            drawn = noise(key, batch.row, scores.shape[1])
            mask = masks.straight_through(scores, drawn, temperature)
        return jax.nn.sigmoid(scores) * allowed, mask * allowed

    return select


def sampled_mask(
    model: RationaleModel,
    noise: masks.NoiseFn,
    temperature: float,
    params: Params,
    features: Features,
    batch: Batch,
    key: Any,
) -> Float[Array, "b t"]:
    """The straight-through mask of a training update: fresh noise and dropout from its own key."""
    for_noise, for_dropout = jax.random.split(key)
    scores = model.score(params, features, batch, for_dropout)
    drawn = noise(for_noise, batch.row, scores.shape[1])
    return masks.straight_through(scores, drawn, temperature) * model.selectable(batch)
