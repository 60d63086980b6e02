"""The computation of BERT (Devlin et al. 2019) and of all that is built like it.

    x_0  = drop(LN(word + position + segment))
    y    = LN(x + drop(attention(x)))          x' = LN(y + drop(W_2 act(W_1 y)))
    pool = tanh(W_p x_first)

Dropout stands where Hugging Face's PyTorch has it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.errors import UserError
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.halves import encode_halves
from n2r_jax.models.encoders.interface import (
    Encoded,
    Encoder,
    EncoderOptions,
    EncoderParams,
    Place,
)
from n2r_jax.models.encoders.layers import (
    INITIAL_SPREAD,
    Dense,
    LayerNorm,
    activation,
    drop,
    split_key,
)


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes and switches of a BERT-like encoder."""

    vocabulary: int
    positions: int
    """Rows of the table of positions."""
    first_position: int
    """The first piece's row in it."""
    segments: int
    """Rows of the table of segments; 0: the family has none."""
    hidden: int
    heads: int
    layers: int
    inner: int
    """Width of the feed-forward part."""
    activation: str
    epsilon: float
    pooler: bool
    attention_drops: bool = True
    """Whether attention's output is dropped out before it is added."""
    padding: int | None = None
    """The padding piece, whose fresh vector is zeros."""
    spread: float = INITIAL_SPREAD
    scale_words: float = 1.0
    """What word vectors are multiplied by before positions are added (BigBird may ask for it)."""
    drops_before_norm: bool = False
    """Whether embeddings are dropped out before their LayerNorm (BigBird), not after it."""
    projection_bias: bool = True
    """Whether queries, keys and values have a bias."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        activation(self.activation)
        if self.hidden % self.heads:
            raise UserError(
                f"config.json: a hidden size of {self.hidden} does not divide into "
                f"{self.heads} attention heads"
            )

    @property
    def max_pieces(self) -> int:
        """The longest input."""
        return self.positions - self.first_position


Attend = Callable[..., Array]
"""`attention.attend` or a family's own: (queries, keys, values, visible, options, key, row)."""


class Embeddings(nn.Module):
    """Word, position and segment vectors, summed and normalised."""

    shape: Shape
    options: EncoderOptions

    @nn.compact
    def __call__(
        self,
        vectors: Float[Array, "b p h"],
        segments: Int[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Float[Array, "b p h"]:
        """The first layer's input."""
        shape, pieces = self.shape, vectors.shape[1]
        init = nn.initializers.normal(shape.spread)
        self.param("word", _word_init(shape), (shape.vocabulary, shape.hidden), jnp.float32)
        position = self.param("position", init, (shape.positions, shape.hidden), jnp.float32)
        x = vectors * shape.scale_words + position[None, shape.first_position :][:, :pieces]
        if shape.segments:
            table = self.param("segment", init, (shape.segments, shape.hidden), jnp.float32)
            kind = jnp.minimum(segments, shape.segments - 1)
            x = x + jax.nn.one_hot(kind, shape.segments) @ table  # its gradient needs no scatter
        norm = LayerNorm(shape.hidden, shape.epsilon, self.options.dtype, name="norm")
        if shape.drops_before_norm:
            return norm(drop(x, key, row, self.options.dropout))
        return drop(norm(x), key, row, self.options.dropout)


class Attention(nn.Module):
    """Self-attention with its residual connection."""

    shape: Shape
    options: EncoderOptions
    attend: Attend

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b q h"],
        context: Float[Array, "b p h"],
        visible: Float[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Float[Array, "b q h"]:
        """LN(x + drop(attention(x to the context))); x is the context or its first pieces."""
        shape, options = self.shape, self.options
        for_shares, for_output = split_key(key, 2)

        def dense(name: str, bias: bool = True) -> Dense:
            return Dense(shape.hidden, shape.hidden, options.dtype, bias, shape.spread, name=name)

        parts = (
            dense(name, shape.projection_bias)(of).reshape(*of.shape[:2], shape.heads, -1)
            for name, of in (("query", x), ("key", context), ("value", context))
        )
        drawn = self.attend(*parts, visible, options, for_shares, row)
        y = dense("output")(drawn.reshape(x.shape))
        norm = LayerNorm(shape.hidden, shape.epsilon, options.dtype, name="norm")
        return norm(x, y, row, for_output, options.dropout if shape.attention_drops else 0.0)


class FeedForward(nn.Module):
    """The two linear layers with their residual connection."""

    shape: Shape
    options: EncoderOptions

    @nn.compact
    def __call__(
        self, x: Float[Array, "b p h"], row: Int[Array, " b"], key: Array | None
    ) -> Float[Array, "b p h"]:
        """LN(x + drop(W_2 act(W_1 x)))."""
        shape, options = self.shape, self.options
        inner = Dense(shape.hidden, shape.inner, options.dtype, spread=shape.spread, name="inner")
        outer = Dense(shape.inner, shape.hidden, options.dtype, spread=shape.spread, name="outer")
        bent = options.nonlinearity("feed_forward", activation(shape.activation))
        norm = LayerNorm(shape.hidden, shape.epsilon, options.dtype, name="norm")
        return norm(x, outer(bent(inner(x))), row, key, options.dropout)


class Layer(nn.Module):
    """Attention, then the feed-forward part."""

    shape: Shape
    options: EncoderOptions
    attend: Attend

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b q h"],
        context: Float[Array, "b p h"],
        visible: Float[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Float[Array, "b q h"]:
        """The next layer's input, of all pieces (x is the context) or the first ones."""
        in_attention, in_feed_forward = split_key(key, 2)
        x = Attention(self.shape, self.options, self.attend, name="attention")(
            x, context, visible, row, in_attention
        )
        return FeedForward(self.shape, self.options, name="feed_forward")(x, row, in_feed_forward)


def _word_init(shape: Shape) -> Callable[..., Array]:
    def init(key: Array, size: tuple[int, ...], dtype: Any) -> Array:
        table = shape.spread * jax.random.normal(key, size, dtype)
        return table if shape.padding is None else table.at[shape.padding].set(0)

    return init


@dataclasses.dataclass(frozen=True)
class BertLike:
    """The parts of an encoder and what they do with its parameters."""

    shape: Shape
    options: EncoderOptions
    embeddings: Embeddings
    layer: Layer
    pooler: Dense

    def init(self, key: Array) -> EncoderParams:
        """Normal weights of the config's spread, zero biases, LayerNorms that change nothing."""
        for_embeddings, for_pooler, *for_layers = jax.random.split(key, 2 + self.shape.layers)
        x, visible = jnp.zeros((1, 1, self.shape.hidden)), jnp.ones((1, 1))
        segments, row = jnp.zeros((1, 1), jnp.int32), jnp.zeros(1, jnp.int32)
        variables = self.embeddings.init(for_embeddings, x, segments, row, None)
        params = {"embeddings": variables["params"]}
        for number, for_layer in enumerate(for_layers):
            variables = self.layer.init(for_layer, x, x, visible, row, None)
            params[f"layer_{number}"] = variables["params"]
        if self.shape.pooler:
            params["pooler"] = self.pooler.init(for_pooler, x[0])["params"]
        return params

    def word_vectors(self, params: EncoderParams, ids: Int[Array, "b p"]) -> Float[Array, "b p h"]:
        """Rows of the word embedding."""
        return params["embeddings"]["word"][ids]

    def encode(
        self,
        params: EncoderParams,
        vectors: Float[Array, "b p h"],
        visible: Float[Array, "b p"],
        segments: Int[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Encoded:
        """`Encoder.encode`; UserError for texts longer than the table of positions."""
        for_embeddings, for_layers = split_key(key, 2)
        x = self.embed(params, vectors, segments, row, for_embeddings)
        *below, (last, for_last) = enumerate(split_key(for_layers, self.shape.layers))
        for number, for_layer in below:
            x = self.run(self.layer, params[f"layer_{number}"], x, x, visible, row, for_layer)

        def states_of(pieces: Array) -> Array:
            of_last = params[f"layer_{last}"]
            found = self.run(self.layer, of_last, pieces, x, visible, row, for_last)
            return found.astype(jnp.float32)

        states = states_of(x)
        # Who wants the pooled state alone is spared nearly all of the last layer, in both passes:
        # what has no reader is not computed.
        first = states_of(x[:, :1]) if self.layer.attend is attend else states
        return Encoded(states, self.pool(params, first[:, 0]))

    def embed(
        self,
        params: EncoderParams,
        vectors: Float[Array, "b p h"],
        segments: Int[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Float[Array, "b p h"]:
        """The first layer's input; UserError for texts longer than the table of positions."""
        check_length(vectors.shape[1], self.shape.max_pieces)
        variables = {"params": params["embeddings"]}
        x: Any = self.embeddings.apply(variables, vectors, segments, row, key)
        return x

    def run(
        self,
        layer: Layer,
        params: Any,
        x: Float[Array, "b q h"],
        context: Float[Array, "b p h"],
        visible: Any,
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Any:
        """A layer's states of x, stored or computed again as the options say."""

        def call(params: Any, *arguments: Any) -> Any:
            return layer.apply({"params": params}, *arguments)

        stored = jax.checkpoint(call) if self.options.remat else call
        return stored(params, x, context, visible, row, key)

    def pool(self, params: EncoderParams, first: Float[Array, "*n h"]) -> Float[Array, "*n h"]:
        """What the pooler makes of first pieces' states; these themselves where there is none."""
        if not self.shape.pooler:
            return first
        pooled: Any = self.pooler.apply({"params": params["pooler"]}, first)
        return self.options.nonlinearity("pooler", jnp.tanh)(pooled)


def bert_like(
    shape: Shape,
    options: EncoderOptions,
    places: Mapping[str, Place],
    attention: Attend = attend,
    is_full: Callable[[int], bool] = lambda pieces: True,
) -> Encoder:
    """The encoder of these sizes, with a family's tensor names and its way of attending.

    is_full: whether every piece attends to all others in texts of so many pieces.
    """
    model = BertLike(
        shape,
        options,
        Embeddings(shape, options),
        Layer(shape, options, attention),
        Dense(shape.hidden, shape.hidden, spread=shape.spread),
    )

    def rebuilt(**changes: Any) -> Encoder:
        changed = dataclasses.replace(options, **changes)
        return bert_like(shape, changed, places, attention, is_full)

    return Encoder(
        hidden_size=shape.hidden,
        max_pieces=shape.max_pieces,
        layers=shape.layers,
        init=model.init,
        word_vectors=model.word_vectors,
        encode=model.encode,
        places=places,
        rebuilt=rebuilt,
        has_pooler=shape.pooler,
        padding=shape.padding or 0,
        encode_halves=partial(encode_halves, model),
        divides=is_full,
    )


def check_length(pieces: int, most: int) -> None:
    """Raise UserError where texts are longer than the table of positions."""
    if pieces > most:
        raise UserError(
            f"texts of {pieces} pieces; this encoder takes {most}: cut them by max_length"
        )
