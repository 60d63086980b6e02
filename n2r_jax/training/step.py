"""Any method as one function of a state and a batch: all its updates, in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Metrics, Update
from n2r_jax.models.interface import Features, Params
from n2r_jax.training.state import Optimizers, TrainState

AllSum = Callable[[Any], Any]
"""Adds a tree of partial sums over all devices; the identity on a single one."""
StepFn = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


class Encoded(NamedTuple):
    """Features of a batch under the present encoder, and the way back to its parameters."""

    features: Features
    pull_back: Callable[[Features], tuple[Params]]


def make_train_step(
    method: Method, optimizers: Optimizers, all_sum: AllSum, *, dropout: bool = True
) -> StepFn:
    """One training iteration: every update of the method, each on what the one before left.

    The encoder runs again only after an update that moved it, so in the paper's order of N2R one
    pass serves both updates: the noise and the dropout come after it and are fresh each time.
    dropout: False gives the updates no key, which methods that draw a mask cannot do without.
    """

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        metrics: Metrics = {}
        encoded = None
        for index, update in enumerate(method.updates):
            if encoded is None:
                encoded = encode(method, state.params, batch)
            drawn = jax.random.fold_in(jax.random.fold_in(state.key, state.step), index)
            key = drawn if dropout else None
            gradients, found = update_gradients(
                method, update, state.params, encoded, batch, key, all_sum
            )
            state = apply_gradients(optimizers, update, state, gradients)
            metrics |= found
            if set(update.trains) & set(method.model.encodes):
                encoded = None
        return state._replace(step=state.step + 1), metrics

    return train_step


def with_dropout_as(
    method: Method, make: Callable[[bool], Callable[[Any, Batch], Any]], per_epoch: int, step: int
) -> Callable[[Any, Batch], Any]:
    """A step that has dropout when the method says: always, never, or at the start of an epoch.

    make: (whether it drops) -> a compiled step. step: how many are done.
    """
    if method.dropout != "authors":
        return make(method.dropout == "on")
    first, others, count = make(True), make(False), itertools.count(step)
    return lambda state, batch: (others if next(count) % per_epoch else first)(state, batch)


def encode(method: Method, params: Params, batch: Batch) -> Encoded:
    """Run the encoder once, ready to be differentiated by any update that trains it."""
    if not set(method.model.encodes) <= params.keys():
        return Encoded((), lambda _: ({},))  # a method without an extractor
    own = {group: params[group] for group in method.model.encodes if group in method.trained}
    features, pull_back = jax.vjp(lambda p: method.model.encode(params | p, batch), own)
    return Encoded(features, pull_back)


def update_gradients(
    method: Method,
    update: Update,
    params: Params,
    encoded: Encoded,
    batch: Batch,
    key: Array | None,
    all_sum: AllSum,
) -> tuple[Params, Metrics]:
    """Gradients of an update's loss by trained group, and its metrics, over the global batch.

    The chain rule through the totals: d loss / d theta = sum over devices of
    (d loss / d totals) (d sums of the device / d theta).
    """
    trained = {group: params[group] for group in update.trains}
    moves_encoder = bool(set(update.trains) & set(method.model.encodes))

    def sums(trained: Params, features: Features) -> Any:
        return update.sums(params | trained, features, batch, key)

    if moves_encoder:
        own, pull = jax.vjp(sums, trained, encoded.features)
    else:
        own, pull = jax.vjp(partial(sums, features=encoded.features), trained)
    loss_and_metrics = jax.value_and_grad(update.loss, has_aux=True)
    (_, metrics), d_totals = loss_and_metrics(all_sum(own))
    d_trained, *d_features = pull(d_totals)
    if moves_encoder:
        (d_encoder,) = encoded.pull_back(d_features[0])
        added = {g: jax.tree.map(jnp.add, d_trained[g], d_encoder[g]) for g in d_encoder}
        d_trained = d_trained | {g: added[g] for g in added if g in d_trained}
    return all_sum(d_trained), metrics


def apply_gradients(
    optimizers: Optimizers, update: Update, state: TrainState, gradients: Params
) -> TrainState:
    """One optimiser step for each group that the update trains or lets coast."""
    params, optimizer = dict(state.params), dict(state.optimizer)
    still = {group: jax.tree.map(jnp.zeros_like, params[group]) for group in update.coasts}
    for group, gradient in (gradients | still).items():
        change, optimizer[group] = optimizers[group].update(
            gradient, optimizer[group], params[group]
        )
        params[group] = optax.apply_updates(params[group], change)
    return state._replace(params=params, optimizer=optimizer)
