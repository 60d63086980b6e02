"""Samplers: from the extractor's scores to a rationale mask.

A score is the difference of two logits, selected minus not selected: a two-way Gumbel-softmax needs
only this one number, and its noise is the difference of two Gumbel variables, a logistic one.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Float, Int, Key

NoiseFn = Callable[[Array, Array, int], Array]


def logistic_noise(
    key: Key[Array, ""], row: Int[Array, " b"], units: int
) -> Float[Array, "b {units}"]:
    """Logistic noise that depends on the key, the row's place in the batch and the position only.

    Neither the number of devices nor the padded length changes a value.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, row)
    return jax.vmap(lambda k: jax.random.logistic(k, (units,)))(keys)


def straight_through(
    scores: Float[Array, "b t"], noise: Float[Array, "b t"], temperature: float = 1.0
) -> Float[Array, "b t"]:
    """Straight-through Gumbel-softmax of two classes (Jang et al. 2017; N2R section 3.1).

    Forward: 1 where score + noise > 0, exactly. Backward: the softmax's, sigmoid((s + g) / tau).
    """
    soft = jax.nn.sigmoid((scores + noise) / temperature)
    hard = (scores + noise > 0).astype(scores.dtype)
    # Bracketed so that soft - soft is an exact zero: an ulp would give |m_t - m_(t-1)| a slope.
    return hard + (soft - jax.lax.stop_gradient(soft))


def arg_max(scores: Float[Array, "b t"]) -> Float[Array, "b t"]:
    """The likelier class of each unit: 1 where the score is positive."""
    return (scores > 0).astype(scores.dtype)
