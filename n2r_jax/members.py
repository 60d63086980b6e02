"""Several runs that train as one program: every seed with every combination of a grid's values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

from ml_collections import ConfigDict

from n2r_jax.errors import UserError

PLACES = {
    "sparsity": "objective",
    "lambda_sparsity": "objective",
    "lambda_continuity": "objective",
    "lambda_cross_entropy": "objective",
    "lambda_norm": "objective",
    "learning_rate": "training",
}
"""Settings that may differ between the members of one program, and their sections."""


class Member(NamedTuple):
    """One of several runs: a run like any other, in a folder of its own."""

    name: str
    """Its folder: 'seed=1' or 'seed=1,sparsity=0.15'."""
    config: ConfigDict
    values: dict[str, float]
    """What the grid sets, by name."""


def members_of(config: ConfigDict) -> list[Member]:
    """All runs that a config asks for; empty if it asks for a single one."""
    grid = {name: config.grid[name] for name in PLACES if config.grid[name]}
    if not config.seeds and not grid:
        return []
    _check(config.seeds, grid)
    seeds = config.seeds or (config.seed,)
    combinations = itertools.product(seeds, *grid.values())
    return [_member(config, seed, dict(zip(grid, v, strict=True))) for seed, *v in combinations]


def _member(config: ConfigDict, seed: int, values: dict[str, float]) -> Member:
    own = ConfigDict(config.to_dict())
    own.seed, own.seeds = seed, ()
    for name in PLACES:
        own.grid[name] = ()
    for name, value in values.items():
        own[PLACES[name]][name] = float(value)
    parts = [f"seed={seed}", *(f"{name}={value:g}" for name, value in values.items())]
    return Member(",".join(parts), own.lock(), {n: float(v) for n, v in values.items()})


def _check(seeds: tuple[int, ...], grid: Mapping[str, tuple[float, ...]]) -> None:
    if not all(type(seed) is int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise UserError(f"config.seeds is {seeds!r}; it must be different integers, like 1,2,3")
    for name, values in grid.items():
        numbers = [v for v in values if type(v) in (int, float) and 0 <= v < math.inf]
        if len(numbers) < len(values) or len({f"{v:g}" for v in numbers}) < len(values):
            raise UserError(
                f"config.grid.{name} is {values!r}; it must be different numbers, like 0.1,0.15"
            )
