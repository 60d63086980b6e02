"""UNIREX's SLM-FP as this project trains it: the JAX side of its benchmark."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # as PyTorch's worker, which is a script

import bench_transformer_jax as transformer
import numpy as np
from bench_transformer_sizes import Settings
from bench_worker import Arrays, serve


def as_batch(arrays: Arrays) -> Any:
    """The transformer benchmark's texts; a fifth of the words is marked by their ids."""
    batch = transformer.as_batch(arrays)
    ids = batch.pieces.ids[:, 1:-1]
    inside = np.arange(ids.shape[1])[None] < batch.length[:, None]
    return batch._replace(rationale=((ids % 5 == 0) & inside).astype(np.int32))


def make_method(settings: Settings) -> Any:
    """SLM-FP with the objectives of the tables, on one random encoder."""
    from n2r_jax.compat import Compat
    from n2r_jax.methods import METHODS
    from n2r_jax.methods import Settings as MethodSettings
    from n2r_jax.models.encoders import make_encoder
    from n2r_jax.models.encoders.interface import EncoderOptions
    from n2r_jax.models.transformer_text import TransformerText
    from n2r_jax.objectives.rationale import Objective

    rates = (settings.dropout, settings.attention_dropout)
    config = transformer.config_of(settings)
    extractor = make_encoder(config, EncoderOptions(*rates))
    predictor = make_encoder(config, EncoderOptions(*rates, soft_visibility=True))
    text = TransformerText(
        extractor,
        predictor,
        classes=2,
        dropout_rate=settings.head_dropout,
        masking="attention",
        shared=True,
        encoder_drops=max(rates) > 0,
        special_pieces=2,
    )
    objective = Objective(settings.sparsity, 0.0, 0.0, 1.0, 0.0, "input", "sum", settings.length)
    return METHODS["slm_fp"](text.model(), MethodSettings(objective, compat=Compat(dropout="on")))


if __name__ == "__main__":
    bench = transformer.Bench(make_method, as_batch)
    serve(bench.setup, {"train": bench.train})
