"""Hugging Face directories: config.json and model.safetensors to an encoder's parameters and back.

Every tensor of a file is used or named. Pickles are never opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Array

from n2r_jax.errors import DataError, UserError
from n2r_jax.models.encoders import FAMILIES
from n2r_jax.models.encoders.interface import Encoder, EncoderParams, Path, Place

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
WANTED = (CONFIG, "model*.safetensors", INDEX, "tokenizer.json", "tokenizer_config.json")
"""What is fetched of a model on the hub."""

PREFIXES = ("bert.", "roberta.", "distilbert.", "model.")
"""What a model with a head on top puts before its encoder's names."""

CONVERT = (
    'where torch and transformers are, convert it once: python -c "from transformers import '
    "AutoModel; AutoModel.from_pretrained('DIR').save_pretrained('DIR')\""
)
SHOWN = 5
"""Names listed in a message."""

Directory = str | os.PathLike[str]


class Imported(NamedTuple):
    """What a directory's weights became."""

    params: EncoderParams
    ignored: tuple[str, ...]
    """Tensors of the file that the encoder has no use for: heads, buffers."""
    fresh: tuple[str, ...]
    """Tensors that the file lacks and that are random: the pooler's, or none."""


def find_pretrained(name: str) -> pathlib.Path:
    """The directory called `name`, else the model of that name from the Hugging Face hub.

    Raises UserError where there is neither, or the hub cannot be reached.
    """
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists() or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise UserError(f"{name}: no such directory; give a directory with {CONFIG} and {SINGLE}")
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise UserError(
            f"{name}: no such directory, and the hub needs a package: pip install huggingface_hub"
        ) from error
    try:
        return pathlib.Path(huggingface_hub.snapshot_download(name, allow_patterns=list(WANTED)))
    except (HfHubHTTPError, OSError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{name}: neither a directory here nor to be had from the Hugging Face hub "
            f"({said[0]}); check the name, or download the model elsewhere and give its directory"
        ) from error


def read_config(directory: Directory) -> dict[str, Any]:
    """The directory's config.json; DataError where it is missing, damaged or of no known family."""
    path = pathlib.Path(directory) / CONFIG
    config = _read_json(path, "give the directory of a Hugging Face model")
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise DataError(
            f"model_type {kind!r} is not known", file=path, mend=f"take one of {_list(FAMILIES)}"
        )
    return config


def read_weights(directory: Directory, encoder: Encoder, key: Array | None = None) -> Imported:
    """The directory's tensors as `encoder`'s parameters, float32 whatever the file's type.

    A missing pooler is drawn from `key` (without one from a fixed seed). Raises DataError for any
    other missing tensor and for shapes that do not fit.
    """
    directory = pathlib.Path(directory)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0))
    found: dict[str, Array] = {}
    ignored: list[str] = []
    for file in _weight_files(directory):
        with _opened(file) as tensors:
            for theirs in sorted(tensors.keys()):
                name = _plain_name(theirs, encoder.places)
                if name is None:
                    ignored.append(theirs)
                    continue
                if name in found:
                    raise DataError(f"{name!r} is there twice", file=file, mend="remove one")
                place = encoder.places[name]
                expected = _at(shapes, place.path).shape
                found[name] = _converted(tensors.get_tensor(theirs), place, expected, name, file)
    fresh = _missing(encoder.places, found, directory)
    params: EncoderParams = {}
    for name, tensor in found.items():
        _put(params, encoder.places[name].path, tensor)
    if fresh:
        key = jax.random.key(0) if key is None else key
        params["pooler"] = jax.jit(lambda key: encoder.init(key)["pooler"])(key)
    return Imported(params, tuple(sorted(ignored)), fresh)


def write_weights(path: Directory, encoder: Encoder, params: EncoderParams) -> None:
    """Write parameters as one safetensors file with Hugging Face's names, float32."""
    tensors = {}
    for name, place in encoder.places.items():
        tensor = np.asarray(_at(params, place.path), np.float32)
        tensors[name] = np.ascontiguousarray(tensor.T if place.transposed else tensor)
    partial = pathlib.Path(f"{os.fspath(path)}.partial")
    # transformers opens no safetensors file that does not say which library's layout it has.
    safetensors.numpy.save_file(tensors, partial, metadata={"format": "pt"})
    partial.replace(path)


def _weight_files(directory: pathlib.Path) -> list[pathlib.Path]:
    """The files that hold the tensors; DataError says why there are none."""
    if (directory / SINGLE).is_file():
        return [directory / SINGLE]
    if (directory / INDEX).is_file():
        return _shards(directory / INDEX)
    if (directory / PICKLE).is_file():
        raise DataError(
            f"a pickle, which may run any code when it is opened, and no {SINGLE} beside it",
            file=directory / PICKLE,
            mend=CONVERT,
        )
    raise DataError(
        f"neither {SINGLE} nor {INDEX} is here",
        file=directory,
        mend=f"give a directory with weights; of a model that has only {PICKLE}: {CONVERT}",
    )


def _shards(index: pathlib.Path) -> list[pathlib.Path]:
    """The files that an index of several lists, each once."""
    listed = _read_json(index, "download the model again").get("weight_map")
    again = "download the model again, with all its files"
    if not isinstance(listed, dict) or not listed:
        raise DataError("has no weight_map", file=index, mend=again)
    names = sorted({str(name) for name in listed.values()})
    for name in names:
        if pathlib.PurePath(name).name != name or not (index.parent / name).is_file():
            raise DataError(f"lists {name!r}, which is not beside it", file=index, mend=again)
    return [index.parent / name for name in names]


def _read_json(path: pathlib.Path, mend: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", file=path, mend=mend) from error
    except ValueError as error:
        raise DataError(f"is not JSON ({error})", file=path, mend=mend) from error
    if not isinstance(content, dict):
        raise DataError("is not a JSON object", file=path, mend=mend)
    return content


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[Any]:
    """The file's tensors, read one at a time."""
    try:
        with safetensors.safe_open(file, framework="numpy") as tensors:
            yield tensors
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(
            f"is no whole safetensors file ({error})", file=file, mend="download it again"
        ) from error


def _plain_name(name: str, places: Mapping[str, Place]) -> str | None:
    """The encoder's name of a file's tensor; None if it has none.

    TensorFlow's checkpoints called LayerNorm's weight and bias gamma and beta.
    """
    name = re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))
    stems = ("", *(prefix for prefix in PREFIXES if name.startswith(prefix)))
    return next((found for stem in stems if (found := name.removeprefix(stem)) in places), None)


def _converted(
    tensor: np.ndarray, place: Place, expected: tuple[int, ...], name: str, file: pathlib.Path
) -> Array:
    """The tensor as a float32 parameter; DataError where its type or shape does not fit."""
    if tensor.dtype not in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16):
        raise DataError(
            f"{name!r} is of type {tensor.dtype}", file=file, mend="take a file of float32"
        )
    theirs = tuple(expected[::-1]) if place.transposed else tuple(expected)
    if tensor.shape != theirs:
        raise DataError(
            f"{name!r} has the shape {list(tensor.shape)}, {CONFIG} asks for {list(theirs)}",
            file=file,
            mend=f"take the {CONFIG} that belongs to these weights",
        )
    tensor = tensor.T if place.transposed else tensor
    return jnp.asarray(np.ascontiguousarray(tensor, np.float32))


def _missing(
    places: Mapping[str, Place], found: Mapping[str, Array], directory: pathlib.Path
) -> tuple[str, ...]:
    """The pooler's tensors where the file has none of them; DataError for any other gap."""
    missing = [name for name in places if name not in found]
    pooler = [name for name, place in places.items() if place.path[0] == "pooler"]
    if missing == pooler:
        return tuple(pooler)
    if missing:
        raise DataError(
            f"{len(missing)} tensors are missing from the weights: {_list(missing)}",
            file=directory,
            mend=f"take the {CONFIG} that belongs to these weights",
        )
    return ()


def _list(names: Mapping[str, Any] | Sequence[str]) -> str:
    names = list(names)
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _put(tree: dict[str, Any], path: Path, leaf: Array) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = leaf
