"""The two JAX sides of `bench_gru`: the Pallas kernels and XLA's scan, in this process.

They answer the requests that a worker of `bench_driver` would, so both share one GPU's memory.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch runs on the same GPU

import jax
import jax.numpy as jnp
import numpy as np

from n2r_jax.kernels import gru, pallas_gru, pallas_launch
from n2r_jax.kernels.gru import Wanted, Weights
from n2r_jax.kernels.pallas_launch import Launch

PALLAS, SCAN = "Pallas", "scan"
TAPE = frozenset({"states", "reset", "update", "candidate", "hidden_part"})
ALLOWED = {"float32": 1e-3, "bfloat16_3x": 1e-3, "tf32": 0.05, "bfloat16": 0.2}
"""How far the kernels may be from the exact scan, beside the largest number of each result."""


class JaxSides:
    """One case of random numbers, and what the two sides make of it."""

    def __init__(self, *, steps: int, batch: int, features: int, units: int):
        self.device = jax.devices()[0].device_kind
        self.on_gpu = jax.default_backend() == "gpu"
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> np.ndarray:
            return rng.uniform(-1, 1, shape).astype(np.float32)

        shapes = ((2, 3, units, features), (2, 3, units, units), (2, 3, units), (2, 3, units))
        weights = Weights(*(draw(*shape) / units**0.5 for shape in shapes))
        self.case = (weights, draw(steps, features, batch), draw(2, steps, units, batch))

    def side(self, name: str, texts: int | None = None, warps: int | None = None) -> Side:
        """One of the two; the kernels may get another tile or number of warps than usual."""
        chosen = {"texts": texts, "warps": warps}
        return Side(self, name, tuple((k, v) for k, v in chosen.items() if v is not None))


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """Answers requests: {"do": "forward" or "train", "format": ..., "calls": ...}."""

    sides: JaxSides
    kind: str
    chosen: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """With the tile and warps that were chosen."""
        return " ".join([self.kind, *(f"{name}={value}" for name, value in self.chosen)])

    def ask(self, request: dict[str, Any], limit: float = 0.0) -> dict[str, list[float]]:
        """Seconds of so many calls after each other; a format's first request compiles."""
        function, case = self._ready(request["do"], request["format"])
        start = time.perf_counter()
        for _ in range(request["calls"]):
            result = function(*case)
        jax.block_until_ready(result)
        return {"seconds": [time.perf_counter() - start]}

    @functools.cache  # noqa: B019 (a handful of sides live as long as the process)
    def _ready(self, action: str, format_: str) -> tuple[Callable, tuple]:
        """The compiled function and its arguments on the device; kernels are checked first."""
        dtype = jnp.bfloat16 if format_ == "bfloat16" else jnp.float32
        case = jax.tree.map(lambda array: jnp.asarray(array, dtype), self.sides.case)
        function = jax.jit(functools.partial(ACTIONS[action], self._kernel(format_, dtype)))
        matmuls = "highest" if format_ == "float32" else "default"
        with jax.default_matmul_precision(matmuls):
            compiled = function.lower(*case).compile()
        if self.kind == PALLAS:
            check(compiled(*case), self.sides.side(SCAN)._exact(action), ALLOWED[format_])
        return compiled, case

    def _exact(self, action: str) -> Any:
        function, case = self._ready(action, "float32")
        return function(*case)

    def _kernel(self, format_: str, dtype: Any) -> tuple[Callable, Callable]:
        """`run` and `walk_back`; the kernels' own, or an error if XLA would stand in for them."""
        if self.kind == SCAN:
            return gru.run, gru.walk_back
        precision = format_ if format_ in pallas_launch.PRECISIONS else "float32"
        launch: Launch = pallas_launch.default(dtype)._replace(precision=precision)
        if format_ in ("tf32", "bfloat16_3x"):
            launch = launch._replace(texts=16)
        launch = launch._replace(**dict(self.chosen))
        if not pallas_launch.fits(self.sides.case[0].hidden.shape[-1], dtype, launch):
            raise ValueError(f"{launch} does not fit on {self.sides.device}")
        functions = (pallas_gru.run, pallas_gru.walk_back)
        return tuple(functools.partial(f, launch=launch) for f in functions)


def forward(kernel: tuple, weights: Weights, inputs: jax.Array, cotangent: jax.Array) -> Any:
    """States of both directions."""
    del cotangent
    run, _ = kernel
    kept = {"tape": frozenset({"states"})}
    return [
        run(direction(weights, reverse), inputs, None, None, reverse=reverse, **kept)[0].states
        for reverse in (False, True)
    ]


def train(kernel: tuple, weights: Weights, inputs: jax.Array, cotangent: jax.Array) -> Any:
    """Gradients of the weights of both directions, and of the inputs."""
    run, walk_back = kernel
    wanted, found = Wanted(weights=True, mask=False, inputs=True), []
    for reverse in (False, True):
        of_all = (direction(weights, reverse), inputs, None, None)
        tape, _ = run(*of_all, reverse=reverse, tape=TAPE)
        arriving = cotangent[int(reverse)]
        found.append(walk_back(*of_all, tape, arriving, reverse=reverse, wanted=wanted))
    return [one.weights for one in found], found[0].inputs + found[1].inputs


def direction(weights: Weights, reverse: bool) -> Weights:
    """Those of one direction."""
    return jax.tree.map(lambda array: array[int(reverse)], weights)


ACTIONS = {"forward": forward, "train": train}


def check(found: Any, expected: Any, allowed: float) -> None:
    """An error if any result is farther off than `allowed` times its largest number."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        off = float(jnp.abs(a.astype(jnp.float32) - b).max() / jnp.abs(b).max())
        if not off <= allowed:
            raise ValueError(f"results are off by {off:.2g} of the largest, allowed {allowed:g}")
