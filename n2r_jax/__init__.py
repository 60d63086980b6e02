"""Classifiers that show their reasons: rationale extraction in JAX.

run = n2r_jax.load("runs/demo")
for found in run.explain(["The staff were lovely but the room was small."]):
    print(found.label, [found.tokens[a:b] for a, b in found.spans])
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from n2r_jax.explain import Explainer

__version__ = "0.1.0"
__all__ = ["load"]


def load(directory: str | os.PathLike[str], which: str = "best") -> Explainer:
    """Read a trained run back. which: its 'best' checkpoint (by dev) or its 'latest'."""
    from n2r_jax.errors import UserError
    from n2r_jax.explain import Explainer

    if which not in ("best", "latest"):
        raise UserError(f"which={which!r} is unknown; choose 'best' or 'latest'")
    return Explainer(directory, which)
