"""ModernBERT (Warner et al. 2024): rotary positions, gates, and mostly local attention.

    x_0 = drop(LN(word))
    y   = x + drop(attention(LN(x)))        the first layer takes x as it is
    x'  = y + drop(W_2 (act(g) * u))        (g, u) = W_1 LN(y)
    out = LN(x_last)

There are no segments and no pooler. The sums are kept in float32 whatever layers compute in.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.bert_like import check_length
from n2r_jax.models.encoders.interface import (
    Encoded,
    Encoder,
    EncoderOptions,
    EncoderParams,
    Place,
)
from n2r_jax.models.encoders.layers import (
    Dense,
    LayerNorm,
    activation,
    dense_places,
    drop,
    norm_places,
    split_key,
)
from n2r_jax.models.encoders.local_attention import attend_locally
from n2r_jax.models.encoders.modernbert_shape import Config, Shape, modernbert_shape
from n2r_jax.models.encoders.rotary import rotary_angles, rotate


def make_modernbert(config: Config, options: EncoderOptions) -> Encoder:
    """The encoder that a ModernBERT's config.json describes.

    Dropout takes from what each part adds, at options.dropout; Hugging Face's takes from the
    feed-forward part before W_2. Its published models were trained with next to none.
    """
    shape = modernbert_shape(config)
    layers = [Layer(shape, options, number) for number in range(shape.layers)]
    norm = partial(LayerNorm, shape.hidden, shape.epsilon, use_bias=shape.norm_bias)
    first_norm, last_norm = norm(options.dtype), norm("float32")

    def word_vectors(params: EncoderParams, ids: Int[Array, "b p"]) -> Float[Array, "b p h"]:
        return params["embeddings"]["word"][ids]

    def encode(
        params: EncoderParams,
        vectors: Float[Array, "b p h"],
        visible: Float[Array, "b p"],
        segments: Int[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Encoded:
        del segments
        check_length(vectors.shape[1], shape.max_pieces)
        for_embeddings, *for_layers = split_key(key, 1 + shape.layers)
        x: Any = first_norm.apply({"params": params["embeddings"]["norm"]}, vectors)
        x = drop(x, for_embeddings, row, options.dropout).astype(jnp.float32)
        for number, (layer, for_layer) in enumerate(zip(layers, for_layers, strict=True)):
            run: Any = jax.checkpoint(layer.apply) if options.remat else layer.apply
            x = run({"params": params[f"layer_{number}"]}, x, visible, row, for_layer)
        states: Any = last_norm.apply({"params": params["final_norm"]}, x)
        return Encoded(states, states[:, 0])

    def rebuilt(**changes: Any) -> Encoder:
        return make_modernbert(config, dataclasses.replace(options, **changes))

    return Encoder(
        hidden_size=shape.hidden,
        max_pieces=shape.max_pieces,
        layers=shape.layers,
        init=partial(_init, shape, layers),
        word_vectors=word_vectors,
        encode=encode,
        places=modernbert_places(shape),
        rebuilt=rebuilt,
        has_pooler=False,
        padding=config.get("pad_token_id") or 0,
    )


class Attention(nn.Module):
    """Self-attention over all pieces or over those near by."""

    shape: Shape
    options: EncoderOptions
    is_global: bool

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b p h"],
        visible: Float[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Float[Array, "b p h"]:
        """What attention adds to its input."""
        shape, options = self.shape, self.options
        for_shares, for_output = split_key(key, 2)
        dense = partial(Dense, dtype=options.dtype, use_bias=shape.attention_bias)
        joint = dense(shape.hidden, 3 * shape.hidden, spread=shape.spread, name="joint")(x)
        joint = joint.reshape(*x.shape[:2], 3, shape.heads, -1)
        queries, keys, values = (joint[:, :, part] for part in range(3))
        theta = shape.global_theta if self.is_global else shape.local_theta
        angles = rotary_angles(x.shape[1], queries.shape[-1], theta)
        queries, keys = rotate(queries, angles), rotate(keys, angles)
        draw = attend if self.is_global else partial(attend_locally, window=shape.window)
        drawn = draw(queries, keys, values, visible, options, for_shares, row)
        output = dense(shape.hidden, shape.hidden, spread=shape.spread_of_added, name="output")
        y = output(drawn.reshape(x.shape))
        return drop(y, for_output, row, options.dropout)


class FeedForward(nn.Module):
    """Two linear layers with a gate between them (GeGLU, Shazeer 2020)."""

    shape: Shape
    options: EncoderOptions

    @nn.compact
    def __call__(
        self, x: Float[Array, "b p h"], row: Int[Array, " b"], key: Array | None
    ) -> Float[Array, "b p h"]:
        """What the feed-forward part adds to its input."""
        shape, options = self.shape, self.options
        dense = partial(Dense, dtype=options.dtype, use_bias=shape.feed_forward_bias)
        inner = dense(shape.hidden, 2 * shape.inner, spread=shape.spread, name="inner")
        outer = dense(shape.inner, shape.hidden, spread=shape.spread_of_added, name="outer")
        gate, up = jnp.split(inner(x), 2, axis=-1)
        bent = options.nonlinearity("feed_forward", activation(shape.activation))
        y = outer(bent(gate) * up)
        return drop(y, key, row, options.dropout)


class Layer(nn.Module):
    """Attention, then the feed-forward part, each on its normalised input."""

    shape: Shape
    options: EncoderOptions
    number: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b p h"],
        visible: Float[Array, "b p"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Float[Array, "b p h"]:
        """The next layer's input, float32."""
        shape, options = self.shape, self.options
        in_attention, in_feed_forward = split_key(key, 2)

        def norm(name: str) -> LayerNorm:
            return LayerNorm(shape.hidden, shape.epsilon, options.dtype, shape.norm_bias, name=name)

        seen = norm("attention_norm")(x) if self.number else x
        attention = Attention(shape, options, shape.is_global[self.number], name="attention")
        x = x + attention(seen, visible, row, in_attention).astype(jnp.float32)
        feed_forward = FeedForward(shape, options, name="feed_forward")
        added = feed_forward(norm("feed_forward_norm")(x), row, in_feed_forward)
        return x + added.astype(jnp.float32)


def modernbert_places(shape: Shape) -> dict[str, Place]:
    """All tensors by their Hugging Face names."""
    norm = partial(norm_places, bias=shape.norm_bias)
    places = {"embeddings.tok_embeddings.weight": Place(("embeddings", "word"))}
    places |= norm("embeddings.norm", ("embeddings", "norm"))
    for number in range(shape.layers):
        theirs, ours = f"layers.{number}", f"layer_{number}"
        if number:
            places |= norm(f"{theirs}.attn_norm", (ours, "attention_norm"))
        places |= norm(f"{theirs}.mlp_norm", (ours, "feed_forward_norm"))
        for part, path, bias in (
            ("attn.Wqkv", ("attention", "joint"), shape.attention_bias),
            ("attn.Wo", ("attention", "output"), shape.attention_bias),
            ("mlp.Wi", ("feed_forward", "inner"), shape.feed_forward_bias),
            ("mlp.Wo", ("feed_forward", "outer"), shape.feed_forward_bias),
        ):
            places |= dense_places(f"{theirs}.{part}", (ours, *path), bias=bias)
    return places | norm("final_norm", ("final_norm",))


def _init(shape: Shape, layers: list[Layer], key: Array) -> EncoderParams:
    """Normal weights, smaller where a part's result is added; Hugging Face cuts off their tails."""
    for_words, *for_layers = jax.random.split(key, 1 + shape.layers)
    x, seen, row = jnp.zeros((1, 1, shape.hidden)), jnp.ones((1, 1)), jnp.zeros(1, jnp.int32)
    word = shape.spread * jax.random.normal(for_words, (shape.vocabulary, shape.hidden))
    norm: Any = LayerNorm(shape.hidden, shape.epsilon, use_bias=shape.norm_bias)
    params: EncoderParams = {
        "embeddings": {"word": word, "norm": norm.init(key, x)["params"]},
        "final_norm": norm.init(key, x)["params"],
    }
    for number, (layer, for_layer) in enumerate(zip(layers, for_layers, strict=True)):
        params[f"layer_{number}"] = layer.init(for_layer, x, seen, row, None)["params"]
    return params
