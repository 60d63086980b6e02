"""From a config to what reads the texts and to the model."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from n2r_jax.data.cache import Cache
from n2r_jax.data.cached_inputs import cached_vocabulary
from n2r_jax.data.records import Source
from n2r_jax.data.vocabulary import Vocabulary, build_vocabulary
from n2r_jax.errors import UserError
from n2r_jax.graph_inputs import GraphInputs
from n2r_jax.inputs import Inputs, PieceInputs, WordInputs
from n2r_jax.models.gru_text import GRUText
from n2r_jax.models.interface import RationaleModel
from n2r_jax.models.mlp import Shape, mlp_shape
from n2r_jax.models.multiple_choice import multiple_choice

MODELS = ("gru", "transformer", "gcn")


def make_inputs(config: Any, train: Source, cache: Cache) -> Inputs:
    """What encodes the data of a new run: its words, an encoder's pieces, its nodes' types."""
    if config.model.name == "gcn":
        return GraphInputs.of_records(train)
    if config.model.name == "transformer":
        from n2r_jax.models.pretrained import find_pretrained

        return PieceInputs.of_pretrained(find_pretrained(_pretrained(config)))
    return WordInputs(*cached_vocabulary(cache, config, train, make_vocabulary))


def make_vocabulary(config: Any, train: Source) -> tuple[Vocabulary, Float[np.ndarray, "v e"]]:
    """The words of the configured vectors file, or those of train with seeded vectors."""
    from n2r_jax.data.vectors import read_vectors

    data, dimension = config.data, config.model.dimension
    vectors = None
    if data.vectors:
        limit = data.vectors_limit or None
        vectors = read_vectors(data.vectors, dimension=dimension, limit=limit)
    token_lists = [] if vectors else [train[i].tokens for i in range(len(train))]
    vocabulary, table = build_vocabulary(
        token_lists,
        dimension=dimension,
        seed=config.data.seed,
        vectors=vectors,
        min_count=data.min_count,
        lowercase=data.lowercase,
    )
    return vocabulary, scale_vectors(table, data.vectors_norm) if data.vectors_norm else table


def scale_vectors(table: Float[np.ndarray, "v e"], norm: float) -> Float[np.ndarray, "v e"]:
    """Every vector at the same length; zeros stay zeros.

    The norm of Enc(Z) grows with the length of what goes in. Where the longest vectors are topical
    words (food, order), N2R selects those; at one length it is left to what the predictor learnt.
    """
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    return (table / np.where(lengths > 0, lengths, 1.0) * norm).astype(np.float32)


def make_model(config: Any, inputs: Any, classes: int, choices: int = 1) -> RationaleModel:
    """The configured encoder in its extractor-predictor pair, for the inputs it reads.

    choices: answers of each question, which then are the classes; 1: there are no questions.
    """
    if choices > 1:
        return multiple_choice(make_model(config, inputs, classes=1), choices)
    name, model = config.model.name, config.model
    if name == "gru":
        given: Any = {"dropout_rate": model.dropout, "shared": config.encoder.shared}
        given["score_head"] = _score_head(config)
        return GRUText(inputs.table, units=model.units, classes=classes, **given).model()
    if name == "transformer":
        return _make_transformer(config, inputs, classes)
    if name == "gcn":
        return _make_gcn(config, inputs, classes)
    raise UserError(f"config.model.name {name!r} is unknown; choose {', '.join(MODELS)}")


def _make_gcn(config: Any, inputs: GraphInputs, classes: int) -> RationaleModel:
    from n2r_jax.models.graph import GraphModel

    return GraphModel(
        types=len(inputs.types.words),
        units=config.model.units,
        layers=config.graph.layers,
        weights=config.graph.weights,
        layer_norm=config.graph.layer_norm,
        pooling=config.graph.pooling,
        classes=classes,
        dropout_rate=config.model.dropout,
        shared=config.encoder.shared,
        score_head=_score_head(config),
    ).model()


def _score_head(config: Any) -> Shape | None:
    return mlp_shape(config.encoder.score_head, "config.encoder.score_head", otherwise="linear")


def _make_transformer(config: Any, inputs: PieceInputs, classes: int) -> RationaleModel:
    from n2r_jax.models.encoders import make_encoder
    from n2r_jax.models.encoders.interface import EncoderOptions
    from n2r_jax.models.transformer_text import TransformerText

    chosen = config.encoder
    given: Any = {name: chosen[name] for name in ("dropout", "attention_dropout", "remat", "dtype")}
    soft = chosen.masking == "attention"
    extractor = make_encoder(inputs.encoder, EncoderOptions(**given))
    predictor = make_encoder(inputs.encoder, EncoderOptions(**given, soft_visibility=soft))
    if config.data.max_length > extractor.max_pieces:
        raise UserError(
            f"config.data.max_length {config.data.max_length} is more than the "
            f"{extractor.max_pieces} pieces that the encoder can read; lower it"
        )
    return TransformerText(
        extractor=extractor,
        predictor=predictor,
        classes=classes,
        dropout_rate=config.model.dropout,
        masking=chosen.masking,
        pooling=chosen.pooling,
        word_score=chosen.word_score,
        shared=chosen.shared,
        frozen=chosen.frozen,
        score_head=_score_head(config),
        special_pieces=inputs.tokenizer.special_pieces,
        encoder_drops=chosen.dropout > 0 or chosen.attention_dropout > 0,
        pretrained=partial(_read_weights, config, extractor),
    ).model()


def _read_weights(config: Any, encoder: Any) -> Any:
    """The pretrained parameters; what was not used of the files, or is fresh, is told."""
    from n2r_jax.models.pretrained import find_pretrained, read_weights

    directory = find_pretrained(_pretrained(config))
    found = read_weights(directory, encoder)
    print(f"encoder of {directory}: {_named(found.ignored)} not used, {_named(found.fresh)} fresh")
    return found.params


def _named(names: tuple[str, ...]) -> str:
    if not names:
        return "nothing"
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _pretrained(config: Any) -> str:
    if not config.encoder.pretrained:
        raise UserError(
            "no pretrained encoder; name a Hugging Face directory (or a name on its hub) by "
            "--config.encoder.pretrained=PATH"
        )
    return config.encoder.pretrained
