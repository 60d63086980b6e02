"""From scores to a rationale mask: sampled, the likelier class, or the best k percent.

An extractor's score is the difference of two logits, selected minus not selected: a two-way
Gumbel-softmax needs only this one number, and its noise is the difference of two Gumbel variables,
a logistic one. The best k percent need an order alone, so any score will do, an attribution too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32, Key

from n2r_jax.choices import one_of
from n2r_jax.errors import UserError

NoiseFn = Callable[[Array, Array, int], Array]
Rounding = Literal["half_even", "floor"]


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


def percentages(values: Sequence[float]) -> tuple[float, ...]:
    """The set K of top-k percent masks, checked: UserError if it is empty or leaves (0, 100]."""
    try:
        if isinstance(values, str):  # or else it would be read digit by digit
            raise TypeError
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise UserError(f"top-k percentages are {values!r}; give numbers, like 1, 5, 10") from None
    if not found:
        raise UserError("there are no top-k percentages; give at least one, like 1, 5, 10, 20, 50")
    for value in found:
        if not 0 < value <= 100:
            raise UserError(
                f"a top-k percentage is {value:g}; each must be above 0 and at most 100"
            )
    return found


def top_k_percent(
    scores: Float[Array, "b t"],
    valid: Float[Array, "b t"],
    k: Sequence[float],
    *,
    always: Float[Array, "b t"] | None = None,
    never: Float[Array, "b t"] | None = None,
    rounding: Rounding = "half_even",
) -> Float[Array, "k b t"]:
    """1 at the max(1, round(n k / 100)) best-scored of the n units of every text, for every k of K.

    valid: 1 at the units of a text. always: 1 at special positions that no ranking decides: they
    are in every mask and not counted in n (UNIREX: [CLS], not [SEP]; none without a special piece).
    never: 1 at units that are counted but cannot be selected (FRESH: the last [SEP], with `floor`).
    Of equal scores the first in the text wins. Constants: no gradient reaches the scores.
    Raises UserError for a bad K. UNIREX section 2.1; rounding and [CLS] are its release's.
    """
    one_of("rounding of top-k masks", rounding, get_args(Rounding))
    counted = (valid > 0) if always is None else (valid > 0) & (always == 0)
    eligible = counted if never is None else counted & (never == 0)
    table = jnp.asarray(_sizes(percentages(k), scores.shape[1], rounding))
    size = table[:, counted.sum(1, dtype=jnp.int32)]
    # Two keys, not -inf for what cannot be selected: a score may be infinite itself.
    best = jnp.lexsort((-jax.lax.stop_gradient(scores), ~eligible), axis=-1)
    rank = jnp.argsort(best, axis=-1, stable=True)
    mask = (rank[None] < size[:, :, None]) & eligible[None]
    return (mask if always is None else mask | (always > 0)[None]).astype(scores.dtype)


def complements(
    masks: Float[Array, "k b t"],
    valid: Float[Array, "b t"],
    always: Float[Array, "b t"] | None = None,
) -> Float[Array, "k b t"]:
    """The units of a text that each mask leaves out; the `always` positions are in both."""
    rest = (1 - masks) * valid[None]
    return rest if always is None else jnp.where((always > 0)[None], 1.0, rest)


def _sizes(k: tuple[float, ...], units: int, rounding: Rounding) -> Int32[np.ndarray, "k n"]:
    """How many of n = 0..units a mask has, in float32: first the product, then the quotient.

    NumPy's, since a compiler may divide by 100 as a product with 0.01, which moves half numbers.
    """
    n = np.arange(units + 1, dtype=np.float32)
    shares = n[None] * np.array(k, np.float32)[:, None] / np.float32(100)
    whole = np.rint(shares) if rounding == "half_even" else np.floor(shares)
    return np.maximum(1, whole).astype(np.int32)
