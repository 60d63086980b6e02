"""What every rationale model offers, whatever its encoder: the methods know nothing else of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.data.batch import Batch

Params = dict[str, Any]
"""Parameters by group: {'embedding': ..., 'extractor': ..., 'predictor': ...}."""
Features = Any
"""What an encoder makes of a batch before noise and dropout: any tree of arrays."""


class Prediction(NamedTuple):
    """What the predictor makes of the selected units."""

    logits: Float[Array, "b c"]
    representation: Float[Array, "b f"]
    """Enc(Z): the pooled state before dropout, whose norm N2R maximises."""


@dataclasses.dataclass(frozen=True)
class FromVectors:
    """The predictor as a function of the vectors that it reads, which is what attributions are of.

    There are P of them in a text: one a unit, or one a piece where the model reads pieces.
    """

    vectors: Callable[[Params, Batch], Array]
    """(params, batch) -> the vectors [B, P, E] that `predict` looks up."""
    baseline: Callable[[Params, Batch], Array]
    """(params, batch) -> those of a text that says nothing: padding's vector, a constant, in every
    unit's place. Special pieces and what lies behind a text's end stay as they are."""
    predict: Callable[..., Prediction]
    """(params, batch, vectors, mask [B, T], key, nonlinearity=unchanged, twice=False), float32.

    nonlinearity: stands between the model and its elementwise functions (models/encoders).
    twice: gradients by the vectors can be differentiated once more, at the cost of speed."""
    by_unit: Callable[[Batch, Array], Array]
    """(batch, one value a vector [B, P]) -> what all of a unit's add up to [B, T]."""

    @classmethod
    def of_units(
        cls, vectors: Callable[[Params, Batch], Array], predict: Callable[..., Prediction]
    ) -> FromVectors:
        """Of a model that reads one vector a unit, and zeros where there is none."""
        return cls(
            vectors,
            baseline=lambda params, batch: jnp.zeros_like(vectors(params, batch)),
            predict=predict,
            by_unit=lambda batch, values: values * batch.valid,
        )


@dataclasses.dataclass(frozen=True)
class RationaleModel:
    """An extractor and a predictor as pure functions. No key means no dropout."""

    init: Callable[[Array, Batch], Params]
    """(key, example batch) -> parameters by group."""
    encode: Callable[[Params, Batch], Features]
    """(params, batch) -> the extractor's features; depends on the groups in `encodes` only."""
    score: Callable[[Params, Features, Batch, Array | None], Array]
    """(params, features, batch, key) -> scores [B, T]: logit selected minus logit not selected."""
    predict: Callable[[Params, Batch, Array, Array | None], Prediction]
    """(params, batch, mask [B, T], key) -> Prediction, from the selected units alone."""
    selectable: Callable[[Batch], Array]
    """(batch) -> 1 at the units [B, T] that the extractor may select."""
    encodes: tuple[str, ...] = ("extractor",)
    """Trained parameter groups that `encode` reads."""
    shared: tuple[str, ...] = ()
    """Parameter groups that are part of extractor and predictor alike."""
    draw: Callable[[Array, Batch], Params] | None = None
    """Like `init`, but random throughout, where `init` reads pretrained parameters from a disk."""
    layers: int = 0
    """Of the pretrained encoder inside, if there is one: its learning rates may go by depth."""
    given: Params = dataclasses.field(default_factory=dict)
    """Parameter groups that nothing trains, like word vectors."""
    prepare: Callable[[Params, Array], Params] | None = None
    """(params, ids of words) -> groups in place of those of params, for inference on batches whose
    ids are places among these words, of which the first is 0. None: nothing is gained by it."""
    from_vectors: FromVectors | None = None
    """For attributions; None: the model reads nothing that has vectors."""
    choices: int = 1
    """Rows of a question: where there are several, `predict` gives each the logits of all, and
    `from_vectors` but its own (`multiple_choice`)."""
    predict_compact: Callable[[Params, Batch, Array, Array | None], Prediction] | None = None
    """`predict` of the text that the selected units make by themselves: the others never stood in
    it. For metrics; the mask gets no gradient that means anything."""
    score_and_predict: Callable[..., tuple[Array, Prediction]] | None = None
    """(params, features, batch, key) -> `score`, and `predict` of the whole text, for which one
    pass of an encoder that both share may do. None: there is none."""
    predict_halves: Callable[[Params, Batch, Array, Array | None], Array] | None = None
    """(params, batch, masks [M, B, T], key) -> logits [2, M, B, C] of what each mask shows, and of
    what it hides, in one pass. Masks are constants of zeros and ones: no gradient reaches them.
    None where nothing is ever divided."""
    divides: Callable[[Batch], bool] = lambda batch: False
    """Whether `predict_halves` is for batches of this shape; others take two passes."""
    attend: Callable[[Params, Batch, Array, bool, Array | None], Prediction] | None = None
    """(params, batch, scores [B, T], mask_pads, key) -> what the predictor makes of the whole text
    when its states are averaged by `soft_attention` of the scores (A2R)."""
    unit_classes: Callable[[int], RationaleModel] | None = None
    """(classes) -> the same model whose `score` gives every unit a logit a class [B, T, classes],
    in place of one score (L2E)."""
