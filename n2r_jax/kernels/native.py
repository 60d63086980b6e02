"""The compiled functions of `native/`, for float32 on CPU.

XLA's CPU backend makes every step of a walk over time of a dozen small calls, wakes threads for
them, and writes what a walk keeps into buffers that it fills and copies first. The C++ here keeps
the sums of a step in registers. It is compiled where it runs, by the compiler found there, once for
each kind of processor; without a compiler XLA's own code gives the same results.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from n2r_jax import runtime
from n2r_jax.kernels import blas, compiler

FUNCTIONS = (
    "n2r_attention_forward",
    "n2r_attention_backward",
    "n2r_gru_forward",
    "n2r_gru_backward",
    "n2r_gru_words",
    "n2r_layer_norm_forward",
    "n2r_layer_norm_backward",
    "n2r_product",
    "n2r_token_scores_forward",
    "n2r_token_scores_backward",
)


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Load and register the compiled functions."""
    library = compiler.shared_library()
    if library is None:
        return None
    for name in FUNCTIONS:
        capsule = jax.ffi.pycapsule(getattr(library, name))
        jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    return library


def available() -> bool:
    """Whether this process has the compiled functions; the first call logs why not."""
    return _library() is not None


def texts_per_tile() -> int | None:
    """How many texts the GRU's compiled functions take side by side."""
    library = _library()
    return None if library is None else library.n2r_gru_columns()


@functools.cache
def has_blas() -> bool:
    """Whether the compiled functions can multiply matrices by SciPy's BLAS."""
    library, sgemm = _library(), blas.sgemm()
    if library is None or sgemm is None:
        return False
    library.n2r_use_sgemm(ctypes.c_void_p(sgemm))
    return True


def suits(array: Array) -> bool:
    """Whether work on this array goes to the compiled functions; decided when traced."""
    return jax.default_backend() == "cpu" and array.dtype == jnp.float32 and available()


def threads() -> int:
    """How many threads one device may use: all devices share the cores."""
    return max(1, runtime.cores() // jax.local_device_count("cpu"))


def function(name: str, results: list[jax.ShapeDtypeStruct]) -> Any:
    """A compiled function of arrays and attributes; under vmap it runs once for each member."""
    return jax.ffi.ffi_call(name, results, vmap_method="sequential")


def floats(*shape: int) -> jax.ShapeDtypeStruct:
    """A result of this shape; of the shape (0,) it is one that nobody wants."""
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def derived_from(plain: Callable[..., Any], fast: Callable[..., Any]) -> Callable[..., Any]:
    """`fast`, with the derivatives of `plain`; the last argument is static."""

    def run(*arguments: Any) -> Any:
        *arrays, chosen = arguments
        same = jax.custom_jvp(lambda *a: fast(*a, chosen))
        same.defjvp(
            lambda primals, tangents: jax.jvp(lambda *a: plain(*a, chosen), primals, tangents)
        )
        return same(*arrays)

    return run
