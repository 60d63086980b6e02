"""A question whose answers are rows of a batch: one logit a row, the softmax over a question's."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.models.interface import Prediction, RationaleModel


def multiple_choice(model: RationaleModel, choices: int) -> RationaleModel:
    """A model of one logit a row as one of C classes for rows that belong together by C.

    Every row of a question has all the question's logits and its label, so a mean over rows is the
    mean over questions, whatever a method makes of logits: no loss knows of questions. Under a mask
    all rows of a question are masked together, each by its own (UNIREX section 3.3).
    """

    def choosing(function: Any) -> Any:
        def predict(*arguments: Any) -> Prediction:
            found: Prediction = function(*arguments)
            return found._replace(logits=logits_of_question(found.logits, choices))

        return function and predict

    unit_classes, together = model.unit_classes, model.score_and_predict
    halves = model.predict_halves

    def of_halves(*arguments: Any) -> Array:
        assert halves is not None
        found = halves(*arguments)
        return logits_of_question(found.reshape(-1, 1), choices).reshape(*found.shape[:-1], choices)

    def both(*arguments: Any) -> tuple[Array, Prediction]:
        assert together is not None
        scores, found = together(*arguments)
        return scores, found._replace(logits=logits_of_question(found.logits, choices))

    return dataclasses.replace(
        model,
        predict=choosing(model.predict),
        predict_compact=choosing(model.predict_compact),
        score_and_predict=together and both,
        predict_halves=halves and of_halves,
        attend=choosing(model.attend),
        unit_classes=unit_classes and (lambda n: multiple_choice(unit_classes(n), choices)),
        choices=choices,
    )


def logits_of_question(of_row: Float[Array, "b 1"], choices: int) -> Float[Array, "b {choices}"]:
    """The logits of all rows of each row's question."""
    return jnp.repeat(of_row.reshape(-1, choices), choices, axis=0)
