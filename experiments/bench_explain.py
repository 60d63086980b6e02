"""A run on disk of the benchmark's sizes, for timing what a user calls: the explainer it opens."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from experiments.bench_worker import Settings, words_of


def explainer_of(settings: Settings) -> Any:
    """The explainer of a run that has just begun; its words are those of the benchmark."""
    from n2r_jax.explain import Explainer
    from n2r_jax.train import train

    with tempfile.TemporaryDirectory() as directory:
        workdir = pathlib.Path(directory)
        with contextlib.redirect_stdout(sys.stderr):  # stdout is the worker's answer
            train(config_of(settings, workdir), str(workdir / "run"))
        return Explainer(workdir / "run", "latest")


def config_of(settings: Settings, directory: pathlib.Path) -> Any:
    """A config of one step of training, on texts that hold every word."""
    from configs import base

    words = words_of(settings.vocabulary)
    length = settings.length
    texts = [words[first : first + length] for first in range(0, len(words), length)]
    config = base.get_config()
    fields = {
        "method": "n2r",
        "model.units": settings.units,
        "model.dimension": settings.embedding,
        "data.train": _write(directory / "train.jsonl", texts),
        "data.dev": _write(directory / "dev.jsonl", texts[:2]),
        "data.max_length": length,
        "data.cache": "off",
        "training.epochs": 1,
    }
    with config.unlocked():
        config.update_from_flattened_dict(fields)
    return config


def _write(path: pathlib.Path, texts: Sequence[Sequence[str]]) -> str:
    rows = ({"tokens": text, "label": place % 2} for place, text in enumerate(texts))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
