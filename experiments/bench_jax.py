"""N2R as this project trains it: the JAX side of the benchmark, a worker of `bench_worker`.

Its setup takes any field of `Settings`, the number of devices (0: one a core) and that of the runs
which train as one program. The first request of a shape compiles.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch runs on the same GPU

from experiments.bench_explain import explainer_of
from experiments.bench_lengths import BUCKETS
from experiments.bench_worker import (
    Arrays,
    Settings,
    peak_mb,
    random_arrays,
    random_splits,
    random_texts,
    seconds_of,
    serve,
)
from n2r_jax import runtime


class Bench:
    """Answers the driver's requests with one training state, kept between them."""

    def setup(self, devices: int = 0, runs: int = 1, **fields: Any) -> dict[str, str]:
        """New states; the versions they run on."""
        self.settings, self.runs = Settings(**fields), runs
        runtime.configure(devices or None)
        import jax
        import optax

        from n2r_jax.inference import Rationalizer
        from n2r_jax.training import parallel, several, state, step

        method = make_method(self.settings)
        optimizers = {g: optax.adam(self.settings.learning_rate) for g in method.trained}
        rows = jax.local_device_count()
        example = self.batch(random_arrays(**self.settings.sizes(batch=rows), seed=0))
        seeds = range(self.settings.seed, self.settings.seed + runs)
        fresh: Any = [state.create_state(method, optimizers, seed, example) for seed in seeds]
        if runs == 1:
            (together,) = fresh
            body: Any = step.make_train_step(method, optimizers, parallel.all_sum)
        else:
            frozen = ("embedding",)
            active = jax.numpy.ones(runs, bool)
            together = several.Several(several.stack(fresh, frozen), {}, active)
            build = lambda values: (method, optimizers)  # noqa: E731
            body = several.make_several_step(build, frozen, parallel.all_sum)
        self.state = parallel.replicate(together)
        self.step = parallel.data_parallel(body, donate=True)
        longest = self.settings.length
        bounds = (*(bucket for bucket in BUCKETS if bucket < longest), longest)
        self.rationalize = Rationalizer(method, bounds, classes=2)
        self.explainer: Any = None
        versions = {"jax": jax.__version__, "numpy": np.__version__, "devices": str(rows)}
        on_gpu = jax.default_backend() == "gpu"
        name = jax.local_devices()[0].device_kind if on_gpu else ""
        return versions | {"device": "cuda" if on_gpu else "cpu", "device_name": name}

    def peak_mb(self) -> float:
        """The most memory that arrays ever took of a GPU, or the process on a CPU."""
        import jax

        if jax.default_backend() != "gpu":
            return peak_mb()
        return max(one.memory_stats()["peak_bytes_in_use"] for one in jax.local_devices()) / 1e6

    def batch(self, arrays: Any) -> Any:
        """Random arrays as a batch of the project's."""
        from n2r_jax.data.batch import Batch

        rows = len(arrays.ids)
        ids = arrays.ids.astype(np.int32)
        length = arrays.real.sum(1).astype(np.int32)
        ones, zeros = np.ones(rows, np.float32), np.zeros_like(ids)
        labels = arrays.labels.astype(np.int32)
        return Batch(ids, length, labels, ones, np.arange(rows, dtype=np.int32), zeros, ones)

    def batches(self, *, repeat: int = 1, **request: int | Sequence[int] | None) -> list[Any]:
        """One batch for each repeat (and each run), split over the devices."""
        import jax

        from n2r_jax.training import parallel, several

        sizes, seeds = self.settings.sizes(**request), range(repeat * self.runs)
        made = [self.batch(random_arrays(**sizes, seed=seed)) for seed in seeds]
        if self.runs == 1:
            return [parallel.shard(one) for one in made]
        groups = [made[first : first + self.runs] for first in range(0, len(made), self.runs)]
        return [several.shard_several(group, jax.local_device_count()) for group in groups]

    def train(self, **request: int | Sequence[int] | None) -> list[float]:
        """Seconds of whole iterations."""
        import jax

        def iterate(batch: Any) -> None:
            self.state, metrics = self.step(self.state, batch)
            jax.block_until_ready((self.state, metrics))

        return seconds_of(iterate, self.batches(**request))

    def evaluate(self, **request: int | Sequence[int] | None) -> list[float]:
        """Seconds of whole splits, what is made of their words included."""
        rows = self.settings.sizes(**request)["batch"]
        splits = [encoded(split) for split in random_splits(self.settings, **request)]
        return seconds_of(lambda s: self.rationalize(self.state.params, s, rows), splits)

    def explain(self, lengths: Sequence[int], batch: int = 256, repeat: int = 1) -> list[float]:
        """Seconds of whole collections, from lists of words to explanations, by a run on disk."""
        if self.explainer is None:
            self.explainer = explainer_of(self.settings)
        texts = [random_texts(lengths, self.settings.vocabulary, seed) for seed in range(repeat)]
        return seconds_of(lambda one: self.explainer.explain(one, batch_size=batch), texts)


def encoded(split: Sequence[Arrays]) -> Any:
    """Random batches as the texts of a split."""
    from n2r_jax.data.encoding import EncodedTexts

    ids, real, labels = (np.concatenate(column) for column in zip(*split, strict=True))
    words = ids[real > 0].astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(real.sum(1, dtype=np.int64))])
    nothing, unmarked = np.zeros(len(words), np.uint8), np.zeros(len(labels), bool)
    return EncodedTexts(words, nothing, starts, labels.astype(np.int32), unmarked, 0)


def make_method(settings: Settings) -> Any:
    """N2R in the release's order with its losses, or in the paper's with the paper's."""
    from n2r_jax.methods import METHODS
    from n2r_jax.methods import Settings as MethodSettings
    from n2r_jax.models.gru_text import GRUText
    from n2r_jax.objectives.rationale import Objective

    release = settings.order == "release"
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
    shape = (settings.vocabulary, settings.embedding)
    table = np.random.default_rng(settings.seed).normal(size=shape).astype(np.float32)
    table[0] = 0
    model = GRUText(table, units=settings.units, classes=2, dropout_rate=settings.dropout).model()
    return METHODS["n2r"](model, MethodSettings(objective, omega_in_update_1=release))


if __name__ == "__main__":
    bench = Bench()
    tasks = {"train": bench.train, "evaluate": bench.evaluate, "explain": bench.explain}
    serve(bench.setup, tasks, bench.peak_mb)
