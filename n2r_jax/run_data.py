"""What a run trains on: read, encoded and known again."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import jax
from ml_collections import ConfigDict

from n2r_jax import assemble, assemble_model
from n2r_jax.data.cached_inputs import cached_texts, open_cache, open_source
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.records import Source
from n2r_jax.data.sources import compare_corpus
from n2r_jax.errors import UserError
from n2r_jax.inputs import Inputs
from n2r_jax.run_directory import RunDirectory
from n2r_jax.training import parallel


@dataclasses.dataclass(frozen=True)
class Data:
    """What a run trains on."""

    train: EncodedTexts
    dev: EncodedTexts
    labels: tuple[str, ...]
    inputs: Inputs
    facts: dict[str, Any]
    """Sizes and fingerprints of the splits, for the manifest."""


def read_data(config: ConfigDict, run: RunDirectory) -> Data:
    """Read and encode the data, or take them from the cache; a run that goes on must find them
    unchanged.
    """
    if jax.process_index() == 0:
        compare_corpus(config.data)  # prepares the corpus, which only one process may do
    parallel.wait_for_all("the data are prepared")
    cache = open_cache(config.data.cache)
    train_source = open_source(cache, config.data, "train")
    labels = train_source.label_names
    dev_source = open_source(cache, config.data, "dev", labels)
    assemble.check_labels(dev_source, labels, "dev")
    facts = {"train": _facts(train_source), "dev": _facts(dev_source)}
    if run.exists:
        check_unchanged(facts, run)
        inputs = run.read_inputs()
    else:
        inputs = assemble_model.make_inputs(config, train_source, cache)
    limits = {"max_length": config.data.max_length, "too_long": config.data.too_long}

    def encode(source: Source, name: str) -> EncodedTexts:
        made = partial(inputs.encode, source, name=name, **limits)
        return cached_texts(cache, source, inputs.fingerprint, limits, made)

    train, dev = encode(train_source, "train"), encode(dev_source, "dev")
    assemble.check_choices(dev.choices, train.choices, "dev")
    return Data(
        train=train,
        dev=dev,
        labels=labels,
        inputs=inputs,
        facts=facts,
    )


def _facts(source: Source) -> dict[str, Any]:
    return {"texts": len(source), "fingerprint": source.fingerprint}


def check_unchanged(facts: dict[str, Any], run: RunDirectory) -> None:
    """Refuse to go on with other data than those the run was started with."""
    then = run.read_manifest()["data"]
    for split, found in facts.items():
        if then[split] != found:
            raise UserError(
                f"the {split} data are not those that {run.path} was started with "
                f"({then[split]['texts']} texts then, {found['texts']} now); restore them, or "
                "start anew in another --workdir"
            )
