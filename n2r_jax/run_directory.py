"""A run on disk: all that is needed to go on, to evaluate and to explain, without the config file.

config.json       the config           manifest.json   versions, seeds, data, checksums
vocabulary.json   words                embedding.npy   their vectors     (of a GRU)
tokenizer.json    cuts words           encoder.json    its config        (of a transformer)
nodes.json        types of nodes                                         (of a graph model)
metrics.jsonl     one line a log       events.*        the same for TensorBoard
latest/  best/    checkpoints
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import platform
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from n2r_jax.errors import DataError, UserError
from n2r_jax.graph_inputs import GraphInputs
from n2r_jax.inputs import Inputs, PieceInputs, WordInputs
from n2r_jax.presets import describe

PACKAGES = ("n2r_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
INPUTS = {"gru": WordInputs, "transformer": PieceInputs, "gcn": GraphInputs}
"""What reads the data, by config.model.name."""
MAY_CHANGE = ("training.epochs", "training.patience", "training.log_every", "data.cache")
"""Config fields that a resumed run may have changed: none of them alters a step that is done."""


class RunDirectory:
    """Names, writes and reads the files of one run."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path).absolute()

    @property
    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "config.json").exists()

    def create(
        self,
        config: ConfigDict,
        manifest: dict[str, Any],
        inputs: Inputs,
    ) -> None:
        """Write all that stays the same during a run; config.json comes last and seals it."""
        self.path.mkdir(parents=True, exist_ok=True)
        checksums = inputs.save(self.path)
        _write_json(self.path / "manifest.json", manifest | {"checksums": checksums})
        self.write_config(config)

    def write_config(self, config: ConfigDict) -> None:
        """Write config.json in one step."""
        _write_json(self.path / "config.json", config.to_dict())

    def read_config(self) -> ConfigDict:
        """The run's config; raises DataError where there is no run or the file is damaged."""
        path = self.path / "config.json"
        if not self.exists:
            raise DataError("no run here", file=path, mend="name the --workdir of a training run")
        return as_config(_read_json(path))

    def read_manifest(self) -> dict[str, Any]:
        """Versions, seeds, labels and data fingerprints of the run."""
        return _read_json(self.path / "manifest.json")

    def read_inputs(self) -> Inputs:
        """The words and their vectors, the tokeniser, or the nodes' types; DataError if altered."""
        kind = INPUTS[self.read_config().model.name]
        return kind.load(self.path, self.read_manifest().get("checksums", {}))

    def check_same(self, config: ConfigDict) -> None:
        """Refuse to go on with a run that was started with another config."""
        then, now = _flat(self.read_config().to_dict()), _flat(config.to_dict())
        changed = [
            f"{name} was {then.get(name)!r}, is {now.get(name)!r}"
            for name in sorted(then.keys() | now.keys())
            if then.get(name) != now.get(name) and name not in MAY_CHANGE
        ]
        if changed:
            raise UserError(
                f"{self.path} holds a run with another config ({'; '.join(changed)}); "
                "choose another --workdir or delete this one"
            )


def manifest(
    config: ConfigDict, labels: tuple[str, ...], data: dict[str, Any], choices: int = 1
) -> dict[str, Any]:
    """What a run records of itself besides its config. choices: of a question, see `Batches`."""
    import jax

    versions = {name: _version(name) for name in PACKAGES}
    devices = {"platform": jax.default_backend(), "kind": jax.devices()[0].device_kind}
    return {
        "method": config.method,
        "preset": describe(
            config.preset, config.objective.to_dict(), max_length=config.data.max_length
        ),
        "seed": config.seed,
        "labels": list(labels),
        "choices": choices,
        "data": data,
        "versions": versions | {"python": platform.python_version()},
        "devices": devices | {"count": jax.device_count(), "processes": jax.process_count()},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted names; lists and tuples count as equal."""

    def items() -> Iterator[tuple[str, Any]]:
        for name, value in tree.items():
            if isinstance(value, dict):
                yield from _flat(value, f"{prefix}{name}.").items()
            else:
                yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value

    return dict(items())


def as_config(content: dict[str, Any]) -> ConfigDict:
    """A config as it was before it was written as JSON."""
    return ConfigDict(_tuples(content)).lock()


def _tuples(tree: Any) -> Any:
    """JSON's lists as tuples, which configs use."""
    if isinstance(tree, dict):
        return {name: _tuples(value) for name, value in tree.items()}
    return tuple(_tuples(value) for value in tree) if isinstance(tree, list) else tree


def _write_json(path: pathlib.Path, content: Any) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _read_json(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        mend = "copy it again from the run that wrote it"
        raise DataError(f"cannot be read ({error})", file=path, mend=mend) from error
