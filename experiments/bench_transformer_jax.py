"""N2R on two BERTs as this project trains it: the JAX side of the transformer benchmark.

Its setup takes any field of `Settings` and the number of devices (0: one a core).
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # as PyTorch's worker, which is a script

from bench_transformer_sizes import Settings, timed
from bench_worker import Arrays, serve

from n2r_jax import runtime


class Bench:
    """Answers the driver's requests with one training state, kept between them.

    make_method: (settings) -> what is trained. as_batch: (arrays) -> its batches.
    """

    def __init__(
        self, make_method: Callable[[Settings], Any], as_batch: Callable[[Arrays], Any]
    ) -> None:
        self.make_method, self.as_batch = make_method, as_batch

    def setup(self, devices: int = 1, **fields: Any) -> dict[str, str]:
        """A new state; the versions it runs on."""
        self.settings = Settings(**fields)
        runtime.configure(devices or None)
        runtime.enable_compilation_cache()  # every turn is a process of its own
        import jax
        import optax

        from n2r_jax.training import parallel, state, step

        method = self.make_method(self.settings)
        optimizers = {g: optax.adam(self.settings.learning_rate) for g in method.trained}
        example = self.as_batch(self.settings.arrays(0, batch=jax.local_device_count()))
        fresh = state.create_state(method, optimizers, self.settings.seed, example)
        self.state = parallel.replicate(fresh)
        del fresh
        body = step.make_train_step(method, optimizers, parallel.all_sum)
        self.step = parallel.data_parallel(body, donate=True)
        made = {"devices": str(jax.local_device_count())}
        return {"jax": jax.__version__, "numpy": np.__version__} | made

    def train(self, repeat: int = 1, clock: str = "wall") -> list[float]:
        """Seconds of whole iterations."""
        import jax

        from n2r_jax.training import parallel

        def iterate(batch: Any) -> None:
            self.state, metrics = self.step(self.state, batch)
            jax.block_until_ready((self.state, metrics))

        made = [self.as_batch(self.settings.arrays(seed)) for seed in range(repeat)]
        return timed(iterate, [parallel.shard(batch) for batch in made], clock)


def as_batch(arrays: Arrays) -> Any:
    """Random arrays with a special piece at both ends of each text, every other a word."""
    from n2r_jax.data.batch import Batch, Pieces

    rows, pieces = arrays.ids.shape
    length = arrays.real.sum(1).astype(np.int32)
    place = np.arange(pieces, dtype=np.int32)[None]
    inside = (place > 0) & (place < length[:, None] - 1)
    word = np.where(inside, place - 1, -1).astype(np.int32)
    ids = arrays.ids.astype(np.int32)
    read = Pieces(ids, word, np.zeros_like(ids), length)
    first = np.broadcast_to(place[:, 1:-1], (rows, pieces - 2)).copy()
    ones, row = np.ones(rows, np.float32), np.arange(rows, dtype=np.int32)
    label, rationale = arrays.labels.astype(np.int32), np.zeros_like(first)
    return Batch(first, length - 2, label, ones, row, rationale, ones, read)


def make_method(settings: Settings) -> Any:
    """N2R on two random encoders, in the release's order with its losses or in the paper's."""
    from n2r_jax.methods import METHODS
    from n2r_jax.methods import Settings as MethodSettings
    from n2r_jax.models.encoders import make_encoder
    from n2r_jax.models.encoders.interface import EncoderOptions
    from n2r_jax.models.transformer_text import TransformerText
    from n2r_jax.objectives.rationale import Objective

    release, rates = settings.order == "release", (settings.dropout, settings.attention_dropout)
    objective = Objective(
        sparsity=settings.sparsity,
        lambda_sparsity=settings.lambda_sparsity,
        lambda_continuity=settings.lambda_continuity / (1 if release else settings.length),
        lambda_cross_entropy=settings.lambda_ce,
        lambda_norm=settings.lambda_norm,
        sparsity_per="batch" if release else "input",
        continuity="mean" if release else "sum",
        max_length=settings.length,
    )
    encoder = make_encoder(config_of(settings), EncoderOptions(*rates))
    text = TransformerText(encoder, encoder, 2, settings.head_dropout, encoder_drops=max(rates) > 0)
    return METHODS["n2r"](text.model(), MethodSettings(objective, omega_in_update_1=release))


def config_of(settings: Settings) -> dict[str, Any]:
    """The encoder's config.json."""
    return {
        "model_type": "bert",
        "vocab_size": settings.vocabulary,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "hidden_size": settings.hidden,
        "num_attention_heads": settings.heads,
        "num_hidden_layers": settings.layers,
        "intermediate_size": settings.inner,
        "hidden_act": "gelu",
    }


if __name__ == "__main__":
    bench = Bench(make_method, as_batch)
    serve(bench.setup, {"train": bench.train})
