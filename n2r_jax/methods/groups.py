"""The same model or method on other parameter groups: a teacher's, a second predictor's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method
from n2r_jax.models.interface import Params, RationaleModel

InitFn = Callable[[Array, Batch], Params]
OF_PARAMS = ("encode", "score", "predict", "predict_compact", "score_and_predict", "attend")
"""Functions of a model whose first argument is the parameters."""


def model_of(model: RationaleModel, **groups: str) -> RationaleModel:
    """The model in which each named role is played by another group: predictor='teacher'."""

    def init(start: InitFn) -> InitFn:
        return lambda key, batch: {groups.get(g, g): p for g, p in start(key, batch).items()}

    source, classes = model.from_vectors, model.unit_classes
    if source is not None:
        names = ("vectors", "baseline", "predict")
        seen = {name: _seeing(getattr(source, name), groups) for name in names}
        source = dataclasses.replace(source, **seen)
    changes = {name: _seeing(getattr(model, name), groups) for name in OF_PARAMS}
    return dataclasses.replace(
        model,
        **changes,
        init=init(model.init),
        draw=init(model.draw) if model.draw else None,
        encodes=_named(model.encodes, groups),
        shared=_named(model.shared, groups),
        prepare=None,  # which makes words for the roles' own groups
        from_vectors=source,
        unit_classes=(lambda count: model_of(classes(count), **groups)) if classes else None,
    )


def method_of(method: Method, **groups: str) -> Method:
    """The method on `model_of` its model: its updates train the other groups."""
    updates = tuple(
        dataclasses.replace(
            update,
            trains=_named(update.trains, groups),
            coasts=_named(update.coasts, groups),
            sums=_seeing(update.sums, groups),
        )
        for update in method.updates
    )
    return dataclasses.replace(
        method,
        model=model_of(method.model, **groups),
        updates=updates,
        select=_seeing(method.select, groups),
    )


def with_group(
    model: RationaleModel, name: str, make: Callable[[InitFn, Array, Batch], Any]
) -> RationaleModel:
    """The model with one more group. make: (the model's init, key, example batch) -> its values."""

    def init(start: InitFn) -> InitFn:
        def extended(key: Array, batch: Batch) -> Params:
            return start(key, batch) | {name: make(start, jax.random.fold_in(key, 1), batch)}

        return extended

    draw = init(model.draw) if model.draw else None
    # Prepared words are the extractor's and the predictor's; another group reads others.
    return dataclasses.replace(model, init=init(model.init), draw=draw, prepare=None)


def with_copy(model: RationaleModel, name: str, of: str) -> RationaleModel:
    """The model with one more group that starts like `of`, its fresh parts drawn anew."""
    return with_group(model, name, lambda start, key, batch: start(key, batch)[of])


def _seeing(function: Any, groups: dict[str, str]) -> Any:
    """A function of parameters that finds the other groups in the roles' places."""
    if function is None:
        return None

    def seeing(params: Params, *rest: Any, **named: Any) -> Any:
        own = {role: params[group] for role, group in groups.items() if group in params}
        return function(params | own, *rest, **named)

    return seeing


def _named(roles: tuple[str, ...], groups: dict[str, str]) -> tuple[str, ...]:
    return tuple(groups.get(role, role) for role in roles)
