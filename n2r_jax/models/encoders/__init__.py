"""Pretrained transformer encoders by family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from n2r_jax.errors import UserError
from n2r_jax.models.encoders.bert import make_bert
from n2r_jax.models.encoders.bigbird import make_bigbird
from n2r_jax.models.encoders.interface import Encoder, EncoderOptions
from n2r_jax.models.encoders.modernbert import make_modernbert

FAMILIES: Mapping[str, Callable[[Mapping[str, Any], EncoderOptions], Encoder]] = {
    "bert": make_bert,
    "distilbert": make_bert,
    "roberta": make_bert,
    "big_bird": make_bigbird,
    "modernbert": make_modernbert,
}
"""What config.json calls `model_type` -> what makes such an encoder."""


def make_encoder(config: Mapping[str, Any], options: EncoderOptions) -> Encoder:
    """The encoder that a Hugging Face config.json describes; UserError for unknown families."""
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise UserError(
            f"config.json: model_type {kind!r} is not known; take one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[kind](config, options)
