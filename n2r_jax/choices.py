"""Settings that must be one of a few names, or a number in a range: one clear line if not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from n2r_jax.errors import UserError


def one_of(setting: str, value: Any, choices: Iterable[str]) -> None:
    """Raise UserError unless `value` is one of the choices."""
    names = tuple(choices)
    if value not in names:
        raise UserError(f"{setting} is {value!r}; it must be one of {', '.join(names)}")


def at_least_0(setting: str, value: float) -> None:
    """Raise UserError unless `value` is a finite number of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{setting} is {value!r}; it must be a number of at least 0")
