"""What the two Pallas kernels of the recurrence share: their tile, its edges, what they fit in.

One program holds a tile of the batch for all time steps: no text's work depends on another's. The
recurrent weights lie in shared memory, so a processor must have room for all three of a direction.

Nothing here was ever run on a GPU. On a machine without one the kernels were compiled for compute
capabilities 8.0 and 9.0, and by XLA as a whole for an H100. At 100 units the weights stay in shared
memory through the loop: 200 to 221 kB of it in float32, which is more than an A100 has, and 106 to
115 in bfloat16. No registers spill, except in exact float32, which has no tensor cores: up to
2.2 kB a thread in a tile of 16 texts, 0.8 in one of 8.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton
from jaxtyping import Array, Bool, Float

PRECISIONS: dict[str, Any] = {
    "float32": lax.Precision.HIGHEST,
    "bfloat16_3x": lax.DotAlgorithmPreset.BF16_BF16_F32_X3,
    "tf32": lax.DotAlgorithmPreset.TF32_TF32_F32,
}
"""How float32 is multiplied; all but the first are less exact and run on tensor cores."""

SHARED_BYTES = 48 * 1024
"""Shared memory that one program may have on any GPU, where the device does not say its own."""


class Launch(NamedTuple):
    """How the kernels are launched; tile and warps are guesses until a GPU has been measured."""

    precision: str = "float32"
    """One of PRECISIONS; of no effect on bfloat16."""
    texts: int = 16
    """Texts that one program holds: a power of two."""
    warps: int = 8


class Sizes(NamedTuple):
    """Sizes of one call."""

    steps: int
    units: int
    batch: int

    @property
    def padded(self) -> int:
        """Units as Triton takes them: a power of two, and enough of them for a product."""
        return max(16, pl.next_power_of_2(self.units))


class Edges(NamedTuple):
    """What of a tile exists; the rest is read as zero, stays zero, and is never written."""

    units: Bool[Array, " h"]
    texts: Bool[Array, " b"]

    @property
    def states(self) -> Bool[Array, "h b"]:
        """Of anything with a number for each unit and text."""
        return self.units[:, None] & self.texts[None]

    @property
    def weights(self) -> Bool[Array, "h h"]:
        """Of the recurrent weights of one gate."""
        return self.units[:, None] & self.units[None]


def default(dtype: Any) -> Launch:
    """The usual launch; N2R_PALLAS_PRECISION names another of PRECISIONS.

    Exact float32 is bound by arithmetic, so a smaller tile spreads it over more processors.
    """
    precision = os.environ.get("N2R_PALLAS_PRECISION", "float32")
    exact = dtype == jnp.float32 and precision == "float32"
    return Launch(precision, texts=8 if exact else 16)


def suits(inputs: Array) -> bool:
    """Whether a recurrence over these inputs goes to the kernels; N2R_PALLAS=1 asks for them.

    Not by themselves as long as nobody has seen their results on a GPU.
    """
    wanted = os.environ.get("N2R_PALLAS") == "1"
    return wanted and jax.default_backend() == "gpu" and inputs.dtype in (jnp.float32, jnp.bfloat16)


def interpreted() -> bool:
    """Whether Pallas imitates the kernels by XLA's own code: everywhere but on a GPU."""
    return jax.default_backend() != "gpu"


def fits(units: int, dtype: Any, launch: Launch) -> bool:
    """Whether the weights and what one step exchanges have room on this machine's GPU."""
    if interpreted():
        return True
    padded = Sizes(0, units, 0).padded
    exchanged = 4 * padded * launch.texts * (3 if dtype == jnp.float32 else 2)
    needed = 3 * padded * padded * jnp.dtype(dtype).itemsize + exchanged
    return needed <= getattr(jax.devices()[0], "shared_memory_per_block_optin", SHARED_BYTES)


def edges(sizes: Sizes, launch: Launch) -> Edges:
    """Inside a kernel: what of this program's tile exists."""
    first = pl.program_id(0) * launch.texts
    return Edges(
        jnp.arange(sizes.padded) < sizes.units,
        first + jnp.arange(launch.texts) < sizes.batch,
    )


def numbers(count: int) -> list[np.int32]:
    """Inside a kernel: indices 0, 1, ...; interpreted, a masked read takes no Python integer."""
    return [np.int32(number) for number in range(count)]


def load(place: Any, inside: Array) -> Array:
    """Inside a kernel: read what exists, and zeros around it."""
    return triton.load(place, mask=inside, other=0)


def store(place: Any, array: Array, inside: Array) -> None:
    """Inside a kernel: write what exists."""
    triton.store(place, array.astype(place.dtype), mask=inside)


def product(weights: Array, states: Array, launch: Launch) -> Float[Array, "h b"]:
    """Inside a kernel: a matrix product summed in float32."""
    precision = None
    if weights.dtype == jnp.float32:
        precision = PRECISIONS["float32" if interpreted() else launch.precision]
    states = states.astype(weights.dtype)
    return jnp.dot(weights, states, precision=precision, preferred_element_type=jnp.float32)


def whole(*sizes: int) -> pl.BlockSpec:
    """Block of an array that every program reads in full."""
    return pl.BlockSpec(sizes, lambda tile: (0,) * len(sizes))


def per_text(*sizes: int) -> pl.BlockSpec:
    """Block of an array whose last axis is the batch; the last size is a tile of it."""
    return pl.BlockSpec(sizes, lambda tile: (*(0,) * (len(sizes) - 1), tile))


def call(kernel: Any, given: dict, blocks: dict, kept: dict, kept_blocks: dict, launch: Launch):
    """Run a kernel on every tile: named arrays in, named arrays out."""
    batch, texts = next((kept[k].shape[-1], kept_blocks[k].block_shape[-1]) for k in kept)
    return pl.pallas_call(
        kernel,
        out_shape=kept,
        grid=(pl.cdiv(batch, texts),),
        in_specs=(blocks,),
        out_specs=kept_blocks,
        compiler_params=triton.CompilerParams(num_warps=launch.warps, num_stages=1),
        interpret=interpreted(),
    )(given)
