"""How much a request may ask for."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is beyond is answered by a 4xx or 503, and never reaches the model."""

    body_bytes: int = 2**22
    characters: int = 50_000
    """Of a text."""
    tokens: int = 10_000
    """Of a text; what the model reads of it is the run's own limit."""
    rows: int = 1_000
    """Of an uploaded file."""
    seconds: float = 20.0
    """To receive a request, and again to answer it."""
    waiting: int = 512
    """Texts that may wait for the model."""


LIMITS = Limits()
