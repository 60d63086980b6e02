"""Encoders small enough to compile in a second, one of each family, and pieces to feed them."""

import jax
import jax.numpy as jnp
import numpy as np

BERT = {
    "model_type": "bert",
    "vocab_size": 30,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
ROBERTA = {**BERT, "model_type": "roberta", "type_vocab_size": 1, "pad_token_id": 1}
DISTILBERT = {
    "model_type": "distilbert",
    "vocab_size": 30,
    "max_position_embeddings": 24,
    "dim": 16,
    "n_heads": 2,
    "n_layers": 2,
    "hidden_dim": 24,
    "activation": "gelu",
    "initializer_range": 0.3,
}
ALL = {"bert": BERT, "roberta": ROBERTA, "distilbert": DISTILBERT}

KEY = jax.random.key(5)
ROWS = jnp.arange(4)
PIECES = 9


def inputs(pieces=PIECES, seed=0):
    """(ids, visible, segments) of four texts; the last two are half and wholly padding."""
    rng = np.random.default_rng(seed)
    ids = jnp.asarray(rng.integers(2, 30, (4, pieces)))
    visible = np.ones((4, pieces), np.float32)
    visible[2, pieces // 2 :] = 0
    visible[3] = 0
    segments = jnp.asarray(rng.integers(0, 2, (4, pieces)))
    return ids, jnp.asarray(visible), segments


def encoded(encoder, params, ids, visible, segments, row=ROWS, key=None):
    """What the encoder makes of pieces."""
    vectors = encoder.word_vectors(params, ids)
    return jax.jit(encoder.encode)(params, vectors, visible, segments, row, key)
