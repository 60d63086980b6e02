"""A bidirectional GRU over words whose input projection is known, forward only.

In inference W x is a constant of the word, and half of all multiplications at the papers' sizes. So
it is made once for every word of a split, and a step of the recurrence reads its row by the word's
id: only the recurrent product is left. No vectors of tokens are made, and no states are written:
of these come out the maximum over time, or what LayerNorm needs. Compiled functions only.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from n2r_jax.kernels import native
from n2r_jax.kernels.gru import Weights
from n2r_jax.kernels.native import floats
from n2r_jax.kernels.native_gru import or_empty
from n2r_jax.kernels.token_scores import HalfMoments, StateMoments

LANES = 16
"""Numbers in a cache line: every word's row begins one."""

Projected = tuple[Float[Array, "w k"], Float[Array, "w k"]]
"""W x of every word in each direction, gate by gate, and zeros up to whole cache lines."""


class Words(NamedTuple):
    """The tokens of a batch as words of a table; word 0 has the vector of zeros."""

    projected: Projected
    ids: Int[Array, "t b"]


def project(weights: Weights, vectors: Float[Array, "w e"]) -> Projected:
    """W x of every word, without biases, for both directions."""
    ahead, back = (_project(weights.input, reverse, vectors) for reverse in (0, 1))
    return ahead, back


@jax.jit  # one program for every table: they are made side by side, on a core each
def _project(kernels: Float[Array, "2 3 h e"], direction: int, vectors: Array) -> Array:
    rows = kernels[direction].reshape(-1, kernels.shape[-1])
    return vectors @ jnp.pad(rows, ((0, -len(rows) % LANES), (0, 0))).T


def word_moments(
    weights: Weights,
    words: Words,
    valid: Float[Array, "t b"],
    slopes: Float[Array, "2 h"],
) -> StateMoments:
    """What `scores_of_moments` needs of `bigru_states`, without the states. slopes: w * scale."""
    _, moments = _run(weights, words, valid, slopes=slopes)
    return StateMoments(*(HalfMoments(*half) for half in moments))


def word_max(
    weights: Weights,
    words: Words,
    mask: Float[Array, "t b"],
    valid: Float[Array, "t b"],
    pool: Float[Array, "t b"],
) -> Float[Array, "f b"]:
    """`bigru_max`."""
    highest, _ = _run(weights, words, valid, mask, pool)
    return highest.reshape(-1, highest.shape[-1])


def _run(
    weights: Weights,
    words: Words,
    valid: Float[Array, "t b"],
    mask: Array | None = None,
    pool: Array | None = None,
    slopes: Array | None = None,
) -> tuple[Float[Array, "2 h b"], Float[Array, "2 3 t b"]]:
    """The maximum over time where `pool` is given, the moments where `slopes` are."""
    steps, batch = words.ids.shape
    results = [
        floats(2, weights.hidden.shape[-1] if pool is not None else 0, batch),
        floats(2, 3 if slopes is not None else 0, steps, batch),
    ]
    return native.function("n2r_gru_words", results)(
        *words.projected,
        words.ids.astype(jnp.int32),
        or_empty(mask),
        valid,
        or_empty(pool),
        weights.hidden,
        weights.input_bias,
        weights.hidden_bias,
        or_empty(slopes),
        threads=np.int32(native.threads()),
    )
