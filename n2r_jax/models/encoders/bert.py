"""BERT, RoBERTa and DistilBERT: what their config.json says and how their tensors are called.

RoBERTa's positions start after the padding piece's id (a leftover of fairseq). DistilBERT has
neither segments nor a pooler, and drops nothing after attention. MiniLM is a BERT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from n2r_jax.errors import UserError
from n2r_jax.models.encoders.bert_like import Shape, bert_like
from n2r_jax.models.encoders.interface import Encoder, EncoderOptions, Path, Place
from n2r_jax.models.encoders.layers import INITIAL_SPREAD, dense_places, norm_places, required

Config = Mapping[str, Any]
Names = Mapping[str, Path]
"""A module's name in a Hugging Face file -> its path in the parameters."""

BERT_DENSE: Names = {
    "attention.self.query": ("attention", "query"),
    "attention.self.key": ("attention", "key"),
    "attention.self.value": ("attention", "value"),
    "attention.output.dense": ("attention", "output"),
    "intermediate.dense": ("feed_forward", "inner"),
    "output.dense": ("feed_forward", "outer"),
}
BERT_NORMS: Names = {
    "attention.output.LayerNorm": ("attention", "norm"),
    "output.LayerNorm": ("feed_forward", "norm"),
}
DISTILBERT_DENSE: Names = {
    "attention.q_lin": ("attention", "query"),
    "attention.k_lin": ("attention", "key"),
    "attention.v_lin": ("attention", "value"),
    "attention.out_lin": ("attention", "output"),
    "ffn.lin1": ("feed_forward", "inner"),
    "ffn.lin2": ("feed_forward", "outer"),
}
DISTILBERT_NORMS: Names = {
    "sa_layer_norm": ("attention", "norm"),
    "output_layer_norm": ("feed_forward", "norm"),
}


def make_bert(config: Config, options: EncoderOptions) -> Encoder:
    """The encoder that a BERT's, RoBERTa's or DistilBERT's config.json describes."""
    kind = required(config, "model_type")
    if kind == "distilbert":
        shape = distilbert_shape(config)
        stem, dense, norms = "transformer.layer", DISTILBERT_DENSE, DISTILBERT_NORMS
    else:
        shape = bert_shape(config, positions_after_padding=kind == "roberta")
        stem, dense, norms = "encoder.layer", BERT_DENSE, BERT_NORMS
    return bert_like(shape, options, places_of(shape, stem, dense, norms))


def bert_shape(config: Config, *, positions_after_padding: bool = False) -> Shape:
    """The sizes in the config.json of a BERT, RoBERTa or BigBird."""
    _refuse(config)
    padding = config.get("pad_token_id") or 0
    return Shape(
        vocabulary=required(config, "vocab_size"),
        positions=required(config, "max_position_embeddings"),
        first_position=padding + 1 if positions_after_padding else 0,
        segments=config.get("type_vocab_size", 2),
        hidden=required(config, "hidden_size"),
        heads=required(config, "num_attention_heads"),
        layers=required(config, "num_hidden_layers"),
        inner=required(config, "intermediate_size"),
        activation=required(config, "hidden_act"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        pooler=True,
        padding=padding,
        spread=config.get("initializer_range", INITIAL_SPREAD),
    )


def distilbert_shape(config: Config) -> Shape:
    """The sizes in DistilBERT's config.json, which has names of its own for them."""
    return Shape(
        vocabulary=required(config, "vocab_size"),
        positions=required(config, "max_position_embeddings"),
        first_position=0,
        segments=0,
        hidden=required(config, "dim"),
        heads=required(config, "n_heads"),
        layers=required(config, "n_layers"),
        inner=required(config, "hidden_dim"),
        activation=required(config, "activation"),
        epsilon=1e-12,
        pooler=False,
        attention_drops=False,
        padding=config.get("pad_token_id") or 0,
        spread=config.get("initializer_range", INITIAL_SPREAD),
    )


def _refuse(config: Config) -> None:
    """Raise UserError for variants of BERT that compute something else."""
    kind = config.get("position_embedding_type") or "absolute"
    if kind != "absolute":
        raise UserError(
            f"config.json: position_embedding_type {kind!r} is not supported; "
            "take an encoder with 'absolute' positions"
        )
    if config.get("is_decoder"):
        raise UserError("config.json: this is a decoder (is_decoder); take an encoder")


def places_of(shape: Shape, stem: str, dense: Names, norms: Names) -> dict[str, Place]:
    """All tensors of a BERT-like model whose layers are called `stem`.0, `stem`.1, ..."""
    places = {
        "embeddings.word_embeddings.weight": Place(("embeddings", "word")),
        "embeddings.position_embeddings.weight": Place(("embeddings", "position")),
    }
    if shape.segments:
        places["embeddings.token_type_embeddings.weight"] = Place(("embeddings", "segment"))
    places |= norm_places("embeddings.LayerNorm", ("embeddings", "norm"))
    for number in range(shape.layers):
        layer = (f"layer_{number}",)
        for name, path in dense.items():
            places |= dense_places(f"{stem}.{number}.{name}", layer + path)
        for name, path in norms.items():
            places |= norm_places(f"{stem}.{number}.{name}", layer + path)
    if shape.pooler:
        places |= dense_places("pooler.dense", ("pooler",))
    return places
