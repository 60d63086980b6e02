"""Two inputs that divide a text between them, read as one row: half the passes, the same states.

A rationale and the text without it have no word in common. Where hidden pieces are hidden from
attention, either can be read without the other's pieces, so one row holds both: every word once, at
its own position, in one half or the other, and the special pieces, which belong to both, twice.
A piece attends to its own half alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from n2r_jax.kernels.attention import Heads
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.interface import Encoded, EncoderOptions, EncoderParams
from n2r_jax.models.encoders.layers import split_key

if TYPE_CHECKING:
    from n2r_jax.models.encoders.bert_like import BertLike

FIRST, SECOND, NEITHER = 0, 1, -1


class Text(NamedTuple):
    """B texts of P pieces, S of them special at most, whatever will be shown of them."""

    vectors: Float[Array, "b p e"]
    segments: Int[Array, "b p"]
    visible: Float[Array, "b p"]
    """1 at the pieces of a text, 0 at its padding."""
    special: Int[Array, "b s"]
    """Places of the special pieces, a text's first piece before the others; P where there are fewer
    than S."""


class Division(NamedTuple):
    """The half that each piece of R rows is of."""

    queries: Int[Array, "r q"]
    keys: Int[Array, "r p"]


def special_places(special: Bool[Array, "b p"], most: int) -> Int[Array, "b {most}"]:
    """The places of each text's special pieces, P where there are fewer than `most`."""
    places = jnp.where(special, jnp.arange(special.shape[1])[None], special.shape[1])
    return jnp.sort(places, axis=1)[:, :most]


def encode_halves(
    model: BertLike,
    params: EncoderParams,
    text: Text,
    first: Float[Array, "m b p"],
    row: Int[Array, " m*b"],
    key: Key[Array, ""] | None,
) -> tuple[tuple[Encoded, Float[Array, "m*b s+p"]], ...]:
    """What `encode` makes of the first half and of the second, each with its pieces' places.

    first: 1 at the pieces of the first of each text's M divisions. Rows are those of the first
    division, then the second's. Copies of special pieces stand in front of the others.
    """
    for_embeddings, for_layers = split_key(key, 2)
    x = _rows(model, params, text, first, row, for_embeddings)
    of = _halves(text, first)
    copies = text.special.shape[1]
    layer = model.layer.clone(attend=attend_in_halves)
    *below, (last, for_last) = enumerate(split_key(for_layers, model.shape.layers))
    for number, for_layer in below:
        x = model.run(layer, params[f"layer_{number}"], x, x, Division(of, of), row, for_layer)

    def states_of(pieces: Array, halves: Array) -> Array:
        division = Division(halves, of)
        return model.run(layer, params[f"layer_{last}"], pieces, x, division, row, for_last)

    # As in `encode`: who wants pooled states alone is spared nearly all of the last layer.
    ends = jnp.array([copies, 0])
    pooled = model.pool(params, states_of(x[:, ends], of[:, ends]).astype(jnp.float32))
    states = states_of(x, of).astype(jnp.float32)
    return tuple(
        (Encoded(states, pooled[:, half]), (of == half).astype(jnp.float32))
        for half in (FIRST, SECOND)
    )


def attend_in_halves(
    queries: Heads,
    keys: Heads,
    values: Heads,
    division: Division,
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " r"],
) -> Heads:
    """What every piece draws from those of its own half."""
    options = dataclasses.replace(options, soft_visibility=False)
    first, second = (
        attend(queries, keys, values, division.keys == half, options, key, row)
        for half in (FIRST, SECOND)
    )
    return jnp.where((division.queries == FIRST)[..., None, None], first, second)


def _rows(
    model: BertLike,
    params: EncoderParams,
    text: Text,
    first: Float[Array, "m b p"],
    row: Int[Array, " m*b"],
    key: Key[Array, ""] | None,
) -> Float[Array, "m*b s+p h"]:
    """The first layer's input; without dropout all divisions have it in common."""
    shared = (text.vectors, text.segments, text.special)
    if key is not None:
        shared = tuple(_repeated(array, len(first)) for array in shared)
    vectors, segments, special = shared
    x = model.embed(params, vectors, segments, row[: len(vectors)], key)
    x = jnp.concatenate([_taken(x, special), x], axis=1)
    return x if key is not None else _repeated(x, len(first))


def _halves(text: Text, first: Float[Array, "m b p"]) -> Int[Array, "m*b s+p"]:
    """FIRST or SECOND for each piece; the special ones are FIRST, their copies SECOND."""
    pieces = text.visible.shape[1]
    is_special = (text.special[:, :, None] == jnp.arange(pieces)[None, None]).any(1)
    of = jnp.where((first > 0) | is_special[None], FIRST, SECOND)
    of = jnp.where((text.visible > 0)[None], of, NEITHER)
    copies = jnp.where(text.special < pieces, SECOND, NEITHER)
    copies = jnp.broadcast_to(copies, (len(first), *copies.shape))
    return jnp.concatenate([copies, of], axis=2).reshape(-1, copies.shape[2] + pieces)


def _repeated(array: Array, times: int) -> Array:
    return jnp.concatenate([array] * times)


def _taken(x: Float[Array, "b p h"], places: Int[Array, "b s"]) -> Float[Array, "b s h"]:
    return jnp.take_along_axis(x, jnp.minimum(places, x.shape[1] - 1)[..., None], axis=1)
