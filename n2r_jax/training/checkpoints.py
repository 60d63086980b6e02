"""Checkpoints: written in the background, checked by checksum, never trusted blindly.

The only module that imports orbax. A checkpoint is a flat dictionary of arrays and a small record
of progress with a checksum of every array: orbax notices missing and cut files, but restores
flipped bytes without a word.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pathlib
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from n2r_jax.errors import UserError

logger = logging.getLogger(__name__)
Arrays = dict[str, np.ndarray]
Kind = Literal["best", "latest"]


class Checkpoints:
    """The newest `keep` checkpoints of one kind, in one folder."""

    def __init__(
        self, directory: str | os.PathLike[str], *, keep: int = 2, read_only: bool = False
    ):
        """read_only: the folder is there and stays as it is; saving and deleting do nothing."""
        self.directory = os.path.abspath(directory)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            save_interval_steps=0 if read_only else 1,
            create=not read_only,
            read_only=read_only,
            enable_async_checkpointing=True,
        )
        with _read_only_is_no_news():
            self._manager = _Manager(
                self.directory, options=options, item_names=("arrays", "progress")
            )

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, the newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def save(self, step: int, tree: Any, progress: Mapping[str, Any]) -> None:
        """Copy the tree off the device and write it in the background."""
        arrays = flatten(jax.device_get(tree))
        record = json.dumps({"progress": dict(progress), "checksums": checksums(arrays)})
        sealed = {"record": record, "checksum": zlib.crc32(record.encode())}
        self._manager.save(
            step,
            args=ocp.args.Composite(
                arrays=ocp.args.StandardSave(arrays), progress=ocp.args.JsonSave(sealed)
            ),
        )

    def restore(self, template: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest undamaged checkpoint as (step, tree, progress); None if there is none.

        template: a tree of the same structure, of arrays or of shapes alone. A damaged checkpoint
        is named and left out; one of another model raises UserError, and so do checkpoints that
        are all damaged.
        """
        for step in self.steps:
            try:
                tree, progress = self._read(step, template)
            except _OtherModel as error:
                raise UserError(
                    f"{self.directory}/{step} is of another model ({error}); "
                    "give the config it was trained with, or another --workdir"
                ) from None
            except Exception as error:  # whatever a damaged file makes orbax raise
                reason = " ".join(str(error).split())[:160]
                logger.warning("checkpoint %s/%d is damaged: %s", self.directory, step, reason)
            else:
                return step, tree, progress
        if self.steps:
            raise UserError(
                f"every checkpoint in {self.directory} is damaged (steps {self.steps}); "
                "copy the folder again, or delete it to start anew"
            )
        return None

    def _read(self, step: int, template: Any) -> tuple[Any, dict[str, Any]]:
        """Read one checkpoint; raises on any damage."""
        progress = ocp.args.Composite(progress=ocp.args.JsonRestore())
        sealed = self._manager.restore(step, args=progress)["progress"]
        if zlib.crc32(sealed["record"].encode()) != sealed["checksum"]:
            raise ValueError("the record of progress does not match its checksum")
        record = json.loads(sealed["record"])
        wanted = flatten(template)
        _check_names(wanted, record["checksums"])
        shapes = {name: np.empty_like(array) for name, array in wanted.items()}
        wanted_arrays = ocp.args.Composite(arrays=ocp.args.StandardRestore(shapes))
        with _late_reads_are_quiet():
            found = self._manager.restore(step, args=wanted_arrays)["arrays"]
        arrays = {name: np.asarray(array) for name, array in found.items()}
        for name, checksum in checksums(arrays).items():
            if checksum != record["checksums"][name]:
                raise ValueError(f"{name} does not match its checksum")
        return unflatten(arrays, template), record["progress"]

    def delete_after(self, step: int) -> None:
        """Delete the checkpoints of later steps: damaged ones, which a resumed run writes anew."""
        for later in self.steps:
            if later > step:
                self._manager.delete(later)

    def wait(self) -> None:
        """Wait for what is being written; raises what went wrong with it."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait for what is being written, and give the files back."""
        self.wait()
        self._manager.close()

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def newest_of(
    folder: pathlib.Path, kinds: Sequence[Kind], template: Any
) -> tuple[Kind, int, Any] | None:
    """(kind, step, tree) of the first of the kinds ('best', 'latest') that has a checkpoint.

    Raises what `Checkpoints.restore` raises.
    """
    for kind in kinds:
        if not (folder / kind).exists():
            continue
        with Checkpoints(folder / kind, read_only=True) as checkpoints:
            found = checkpoints.restore(template)
        if found is not None:
            step, tree, _ = found
            return kind, step, tree
    return None


class _Manager(ocp.CheckpointManager):
    """The manager of orbax, which leaves it to the loop to agree on a step to stop after.

    By itself it asks at every save, with the number of the checkpoint; the loop counts the steps
    of this launch, and an agreement holds only where everyone counts in the same way.
    """

    def reached_preemption(self, step: int) -> bool:
        return False


@contextlib.contextmanager
def _read_only_is_no_news() -> Iterator[None]:
    """Orbax warns of every folder that it was told to leave alone."""
    absl = logging.getLogger("absl")
    before = absl.level
    absl.setLevel(max(before, logging.ERROR))
    try:
        yield
    finally:
        absl.setLevel(before)


@contextlib.contextmanager
def _late_reads_are_quiet() -> Iterator[None]:
    """When one read fails, orbax leaves the others behind, which complain to its closed loop."""
    before = sys.unraisablehook

    def hook(found: Any) -> None:
        if "Event loop is closed" not in str(found.exc_value):
            before(found)

    sys.unraisablehook = hook
    try:
        yield
    except Exception:
        time.sleep(0.2)
        raise
    finally:
        sys.unraisablehook = before


class _OtherModel(Exception):
    """The checkpoint's arrays are not those that the model has."""


def _check_names(wanted: Arrays, saved: Mapping[str, str]) -> None:
    shapes = {name: description(a) for name, a in wanted.items()}
    found = {name: text.split(" ")[0] for name, text in saved.items()}
    different = sorted(
        name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name)
    )
    if different:
        name = different[0]
        raise _OtherModel(f"{name} is {found.get(name)} there, {shapes.get(name)} here")


def flatten(tree: Any) -> Arrays:
    """A tree as a dictionary from path to array; typed keys as their data."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_name(path): _plain(leaf) for path, leaf in leaves}


def unflatten(arrays: Arrays, template: Any) -> Any:
    """The inverse of `flatten`, given a tree of the same structure."""

    def place(path: Any, leaf: Any) -> Any:
        array = arrays[_name(path)]
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.wrap_key_data(jnp.asarray(array)) if is_key else array

    return jax.tree_util.tree_map_with_path(place, template)


def checksums(arrays: Arrays) -> dict[str, str]:
    """'dtype[shape] crc32' of every array."""
    return {
        name: f"{description(a)} {zlib.crc32(np.ascontiguousarray(a).tobytes()):08x}"
        for name, a in arrays.items()
    }


def description(array: np.ndarray) -> str:
    """Type and shape, like float32[2,3]."""
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def _name(path: Any) -> str:
    return "/".join(str(getattr(p, "key", getattr(p, "name", getattr(p, "idx", p)))) for p in path)


def _plain(leaf: Any) -> np.ndarray:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = (
            jax.eval_shape(jax.random.key_data, leaf)
            if _is_shape(leaf)
            else jax.random.key_data(leaf)
        )
    return np.empty(leaf.shape, leaf.dtype) if _is_shape(leaf) else np.asarray(leaf)


def _is_shape(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)
