"""A bidirectional GRU in two forms: all states (extractor), their maximum over time (predictor).

Both have a backward pass of their own that makes only the gradients somebody differentiates: the
predictor's update gets weight gradients and no mask gradient, the extractor's update the reverse,
and a forward pass under no derivative keeps nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from n2r_jax.kernels import gru, native, native_gru, pallas_gru, pallas_launch
from n2r_jax.kernels.gru import Peak, Wanted, Weights

_STEP = frozenset({"states", "reset", "update", "candidate", "hidden_part"})


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _Static:
    """A static fact that rides along with the residuals from the forward to the backward rule."""

    wanted: Wanted


def _kernel(inputs: Array) -> Any:
    """Who runs the recurrence: compiled functions on CPU, Pallas where asked for, else XLA."""
    if native.suits(inputs):
        return native_gru
    return pallas_gru if pallas_launch.suits(inputs) else gru


def _direction(weights: Weights, reverse: bool) -> Weights:
    return jax.tree.map(lambda a: a[int(reverse)], weights)


def _is_perturbed(tree: Any) -> bool:
    primals = jax.tree.leaves(tree, is_leaf=lambda leaf: hasattr(leaf, "perturbed"))
    return any(leaf.perturbed for leaf in primals)


def _values(tree: Any) -> Any:
    return jax.tree.map(
        lambda leaf: leaf.value, tree, is_leaf=lambda leaf: hasattr(leaf, "perturbed")
    )


def _dense(cotangent: Any) -> Array:
    """A cotangent as an array, also where JAX knows it to be zero."""
    if isinstance(cotangent, SymbolicZero):
        dtype: Any = cotangent.dtype
        return jnp.zeros(cotangent.shape, dtype)
    return cotangent


def _stack(first: Any, second: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.stack([a, b]), first, second)


@jax.custom_vjp
def bigru_states(
    weights: Weights, inputs: Float[Array, "t e b"], valid: Float[Array, "t b"]
) -> tuple[Float[Array, "t h b"], Float[Array, "t h b"]]:
    """States of the forward and of the reverse direction at every position.

    weights: of both directions, leading axis 2. inputs: [T, E, B]. valid: 1 where the text has a
    token, 0 after its end. States at padded positions are zero.
    """
    return _states(weights, inputs, valid, frozenset({"states"}))[0]


def _states(weights: Weights, inputs: Array, valid: Array, tape: frozenset[str]) -> tuple:
    tapes = [
        _kernel(inputs).run(
            _direction(weights, reverse),
            inputs,
            None,
            valid,
            reverse=reverse,
            tape=tape,
        )[0]
        for reverse in (False, True)
    ]
    return (tapes[0].states, tapes[1].states), tapes


def _states_forward(weights: Weights, inputs: Any, valid: Any) -> tuple:
    wanted = Wanted(_is_perturbed(weights), mask=False, inputs=_is_perturbed(inputs))
    weights, inputs, valid = _values((weights, inputs, valid))
    needed = _STEP if any(wanted) else frozenset({"states"})
    states, tapes = _states(weights, inputs, valid, needed)
    return states, (weights, inputs, valid, tapes, _Static(wanted))


def _states_backward(residuals: tuple, cotangents: tuple) -> tuple:
    weights, inputs, valid, tapes, static = residuals
    found = []
    for reverse in (False, True):
        found.append(
            _kernel(inputs).walk_back(
                _direction(weights, reverse),
                inputs,
                None,
                valid,
                tapes[int(reverse)],
                _dense(cotangents[int(reverse)]),
                reverse=reverse,
                wanted=static.wanted,
            )
        )
    return _combine(found)[0], _combine(found)[2], None


def _combine(found: list[gru.Gradients]) -> tuple:
    """Weight gradients of the two directions side by side, the others summed."""
    ahead, back = found
    weights = None if ahead.weights is None else _stack(ahead.weights, back.weights)
    return weights, _add(ahead.mask, back.mask), _add(ahead.inputs, back.inputs)


def _add(first: Array | None, second: Array | None) -> Array | None:
    return None if first is None or second is None else first + second


bigru_states.defvjp(_states_forward, _states_backward, symbolic_zeros=True)


@jax.custom_vjp
def bigru_max(
    weights: Weights,
    inputs: Float[Array, "t e b"],
    mask: Float[Array, "t b"],
    valid: Float[Array, "t b"],
    pool: Float[Array, "t b"],
) -> Float[Array, "f b"]:
    """Maximum over time of the states run on `mask * inputs`: forward units, then reverse ones.

    mask: the rationale mask, 0 or 1 (any factor works). valid: as in `bigru_states`. pool: the
    positions that take part in the maximum. Of equal states the earliest gets the gradient.
    """
    return _max(weights, inputs, mask, valid, pool, frozenset())[0]


def _max(weights: Weights, inputs: Array, mask: Array, valid: Array, pool: Array, tape) -> tuple:
    ran = [
        _kernel(inputs).run(
            _direction(weights, reverse),
            inputs,
            mask,
            valid,
            reverse=reverse,
            tape=tape,
            pool=pool,
        )
        for reverse in (False, True)
    ]
    return jnp.concatenate([peak.value for _, peak in ran]), ran


def _max_forward(weights: Any, inputs: Any, mask: Any, valid: Any, pool: Any) -> tuple:
    wanted = Wanted(_is_perturbed(weights), _is_perturbed(mask), _is_perturbed(inputs))
    weights, inputs, mask, valid, pool = _values((weights, inputs, mask, valid, pool))
    tape = _STEP if any(wanted) else frozenset()
    pooled, ran = _max(weights, inputs, mask, valid, pool, tape)
    tapes, times = [tape for tape, _ in ran], [peak.time for _, peak in ran]
    return pooled, (weights, inputs, mask, valid, tapes, times, _Static(wanted))


def _max_backward(residuals: tuple, cotangent: Any) -> tuple:
    weights, inputs, mask, valid, tapes, times, static = residuals
    halves = jnp.split(_dense(cotangent), 2)
    found = []
    for reverse in (False, True):
        half, time = halves[int(reverse)], times[int(reverse)]
        found.append(
            _kernel(inputs).walk_back(
                _direction(weights, reverse),
                inputs,
                mask,
                valid,
                tapes[int(reverse)],
                Peak(half, time),
                reverse=reverse,
                wanted=static.wanted,
            )
        )
    weights_gradient, mask_gradient, inputs_gradient = _combine(found)
    return weights_gradient, inputs_gradient, mask_gradient, None, None


bigru_max.defvjp(_max_forward, _max_backward, symbolic_zeros=True)
