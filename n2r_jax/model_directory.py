"""A trained model on disk for use alone, in the layout of model hubs. Nothing in it is a pickle.

config.json        what it is: config, labels, versions, the checkpoint, checksums
model.safetensors  parameters, and the vectors of words
vocabulary.json    words                                  (of a GRU)
tokenizer.json     cuts words      encoder.json  its config   (of a transformer)
nodes.json         types of nodes                              (of a graph model)
README.md          the model card
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from ml_collections import ConfigDict

from n2r_jax.data.vocabulary import Vocabulary
from n2r_jax.errors import DataError
from n2r_jax.inputs import COPY_AGAIN, Inputs, WordInputs, checksum, unaltered
from n2r_jax.models.interface import Params
from n2r_jax.run_directory import INPUTS, as_config
from n2r_jax.training.checkpoints import description, flatten, unflatten

CONFIG, WEIGHTS, WORDS, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"
FORMAT = "n2r_jax model"
VERSION = 1
"""Of the layout: a reader refuses a newer one."""
VECTORS = "embedding/table"
"""The tensor that holds the vectors of the words."""


class ModelDirectory:
    """Reads a model that `write_model` wrote."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path).absolute()
        self._content = _read_config(self.path / CONFIG)

    @staticmethod
    def is_at(path: str | os.PathLike[str]) -> bool:
        """Whether a model is there, and not a run or anything else."""
        try:
            content = json.loads((pathlib.Path(path) / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(content, dict) and content.get("format") == FORMAT

    @property
    def checkpoint(self) -> tuple[Any, int]:
        """Which of the run's checkpoints it was ('best' or 'latest'), and its step."""
        found = self._content["checkpoint"]
        return found["which"], found["step"]

    def read_config(self) -> ConfigDict:
        """The config that the model was trained with."""
        return as_config(self._content["config"])

    def read_manifest(self) -> dict[str, Any]:
        """Versions, seeds, labels and data fingerprints of the run."""
        return self._content["manifest"]

    def read_inputs(self) -> Inputs:
        """The words and their vectors, the tokeniser, or the nodes' types; DataError if altered."""
        checksums = self._content["checksums"]
        kind = INPUTS[self.read_config().model.name]
        if kind is not WordInputs:
            return kind.load(self.path, checksums)
        table = self._tensors()[VECTORS]
        return WordInputs(Vocabulary.load(self.path / WORDS), table)

    def read_params(self, shapes: Params) -> Params:
        """The parameters of a tree of shapes; DataError where the file holds others."""
        wanted, found = flatten(shapes), self._tensors()
        for name, array in wanted.items():
            there = description(found[name]) if name in found else "not there"
            if there != description(array):
                raise DataError(
                    f"{name} is {there}, {CONFIG} asks for {description(array)}",
                    file=self.path / WEIGHTS,
                    mend=COPY_AGAIN,
                )
        return unflatten(found, shapes)

    def _tensors(self) -> dict[str, np.ndarray]:
        path = unaltered(self.path / WEIGHTS, self._content["checksums"])
        try:
            return safetensors.numpy.load_file(path)
        except safetensors.SafetensorError as error:
            problem = f"is no whole safetensors file ({error})"
            raise DataError(problem, file=path, mend=COPY_AGAIN) from error


def write_model(
    directory: pathlib.Path,
    *,
    config: ConfigDict,
    manifest: Mapping[str, Any],
    inputs: Inputs,
    params: Params,
    checkpoint: tuple[str, int],
    card: str,
) -> None:
    """Write all files into an existing folder.

    params: of every trained group, on the host. checkpoint: which, and its step. Paths of the
    machine that trained stay there: of each its last part is kept.
    """
    tensors = {name: np.ascontiguousarray(array) for name, array in flatten(params).items()}
    checksums = {}
    if isinstance(inputs, WordInputs):
        inputs.vocabulary.save(directory / WORDS)
        tensors[VECTORS] = np.ascontiguousarray(inputs.table)
    else:
        checksums = inputs.save(directory)
    safetensors.numpy.save_file(tensors, directory / WEIGHTS, metadata={"format": "np"})
    content = {
        "format": FORMAT,
        "version": VERSION,
        "library_name": "n2r_jax",
        "checkpoint": dict(zip(("which", "step"), checkpoint, strict=True)),
        "manifest": {name: value for name, value in manifest.items() if name != "checksums"},
        "config": _without_folders(config.to_dict()),
        "checksums": checksums | {WEIGHTS: checksum(directory / WEIGHTS)},
    }
    (directory / CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (directory / CARD).write_text(card, encoding="utf-8")


def _read_config(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        parts = ("version", "checkpoint", "manifest", "config", "checksums")
        missing = [name for name in parts if name not in content]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"cannot be read ({error})", file=path, mend=COPY_AGAIN) from error
    if missing:
        raise DataError(f"has no {missing[0]!r}", file=path, mend=COPY_AGAIN)
    if content["version"] > VERSION:
        problem = f"is of layout {content['version']}, this n2r_jax reads {VERSION}"
        raise DataError(problem, file=path, mend="take a newer n2r_jax")
    return content


def _without_folders(tree: Any) -> Any:
    """A config without the folders of one machine: its paths' last parts alone."""
    if isinstance(tree, dict):
        return {name: _without_folders(value) for name, value in tree.items()}
    if isinstance(tree, str) and (tree.startswith("~") or pathlib.PurePath(tree).is_absolute()):
        return pathlib.PurePath(tree).name
    return tree
