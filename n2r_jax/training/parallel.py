"""Data parallelism: one step body, mapped over the devices of all processes.

The state is replicated, the batch is split by rows. Bodies reduce their own sums over the axis, so
nothing here averages anything. pmap takes and returns what is local to the process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from n2r_jax.data.batch import Batch

AXIS = "data"
all_sum = partial(jax.lax.psum, axis_name=AXIS)


def data_parallel(body: Callable[..., Any], *, donate: bool) -> Callable[..., Any]:
    """Map `body(replicated, batch) -> replicated`; with `donate` the first argument is given up."""
    return jax.pmap(
        body, AXIS, in_axes=(None, 0), out_axes=None, donate_argnums=(0,) if donate else ()
    )


def data_parallel_rows(body: Callable[..., Any]) -> Callable[..., Any]:
    """Map `body(replicated, batch) -> rows`: results stay split by device, [devices, rows, ...]."""
    return jax.pmap(body, AXIS, in_axes=(None, 0), out_axes=0)


def replicate(tree: Any) -> Any:
    """Put a copy of every leaf on every local device, as the mapped steps return them."""
    devices = np.zeros(jax.local_device_count(), np.int32)
    return jax.pmap(lambda t, _: t, AXIS, in_axes=(None, 0), out_axes=None)(tree, devices)


def first_copy(tree: Any) -> Any:
    """Replicated leaves as one device of this process has them, for work that is done once."""
    return jax.tree.map(
        lambda leaf: leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf, tree
    )


def shard(batch: Batch) -> Batch:
    """Split this process's rows of a batch over its devices: [b, ...] -> [d, b/d, ...]."""
    devices = jax.local_device_count()
    return jax.tree.map(lambda a: a.reshape(devices, a.shape[0] // devices, *a.shape[1:]), batch)


def wait_for_all(what: str) -> None:
    """Return when every process has come here; at once if there is only one."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(what)
