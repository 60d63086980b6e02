"""What a ModernBERT's config.json says, in the spelling of transformers 4 or 5."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from n2r_jax.errors import UserError
from n2r_jax.models.encoders.layers import INITIAL_SPREAD, activation, required

Config = Mapping[str, Any]

GLOBAL, LOCAL = "full_attention", "sliding_attention"
"""What transformers 5 calls a layer's kind of attention."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes and switches of a ModernBERT."""

    vocabulary: int
    max_pieces: int
    hidden: int
    heads: int
    layers: int
    inner: int
    """Width of the feed-forward part."""
    activation: str
    epsilon: float
    is_global: tuple[bool, ...]
    """Whether a layer attends to all pieces, by layer."""
    window: int
    """How many places away a local layer sees."""
    global_theta: float
    """Base of the rotary frequencies in global layers."""
    local_theta: float
    attention_bias: bool
    feed_forward_bias: bool
    norm_bias: bool
    spread: float
    """Standard deviation of fresh weights."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        activation(self.activation)
        if self.hidden % (2 * self.heads):
            raise UserError(
                f"config.json: a hidden size of {self.hidden} does not divide into "
                f"{self.heads} attention heads of an even size"
            )

    @property
    def spread_of_added(self) -> float:
        """Standard deviation of fresh weights whose outputs are added up, two a layer."""
        return self.spread / (2 * self.layers) ** 0.5


def modernbert_shape(config: Config) -> Shape:
    """The sizes and switches in a ModernBERT's config.json; UserError where one is not known."""
    layers = required(config, "num_hidden_layers")
    global_theta = _theta(config, GLOBAL, config.get("global_rope_theta"), 160_000.0)
    older_local = config.get("local_rope_theta", 10_000.0)
    return Shape(
        vocabulary=required(config, "vocab_size"),
        max_pieces=required(config, "max_position_embeddings"),
        hidden=required(config, "hidden_size"),
        heads=required(config, "num_attention_heads"),
        layers=layers,
        inner=required(config, "intermediate_size"),
        activation=config.get("hidden_activation", "gelu"),
        epsilon=config.get("norm_eps", 1e-5),
        is_global=_kinds(config, layers),
        window=config.get("local_attention", 128) // 2,
        global_theta=global_theta,
        local_theta=_theta(config, LOCAL, older_local, global_theta),
        attention_bias=config.get("attention_bias", False),
        feed_forward_bias=config.get("mlp_bias", False),
        norm_bias=config.get("norm_bias", False),
        spread=config.get("initializer_range", INITIAL_SPREAD),
    )


def _kinds(config: Config, layers: int) -> tuple[bool, ...]:
    """Which layers are global: as listed, else the first and every n-th after it."""
    listed = config.get("layer_types")
    if listed is None:
        every = config.get("global_attn_every_n_layers", 3)
        return tuple(number % every == 0 for number in range(layers))
    if len(listed) != layers or not set(listed) <= {GLOBAL, LOCAL}:
        raise UserError(
            f"config.json: layer_types is {listed}; give one of {GLOBAL!r}, {LOCAL!r} "
            f"for each of {layers} layers"
        )
    return tuple(kind == GLOBAL for kind in listed)


def _theta(config: Config, kind: str, older: float | None, default: float) -> float:
    """The base of a kind of layer's rotary frequencies."""
    rope = (config.get("rope_parameters") or {}).get(kind) or {}
    if rope.get("rope_type", "default") != "default" or config.get("rope_scaling"):
        raise UserError(
            "config.json: stretched rotary positions (rope_type, rope_scaling) are not supported; "
            "take an encoder with rope_type 'default'"
        )
    found = rope.get("rope_theta", older)
    return float(default if found is None else found)
