"""Methods by name. A new method is one file here and one line in this table."""

from __future__ import annotations

from collections.abc import Callable

from n2r_jax.methods.base import Method, Rationale, Update, rationalize
from n2r_jax.methods.classifier import classifier
from n2r_jax.methods.n2r import n2r, n2r_mmi
from n2r_jax.methods.rnp import rnp
from n2r_jax.methods.unirex import UNIREX_METHODS
from n2r_jax.methods.updates import Settings
from n2r_jax.models.interface import RationaleModel

METHODS: dict[str, Callable[[RationaleModel, Settings], Method | tuple[Method, ...]]] = {
    "rnp": rnp,
    "n2r": n2r,
    "n2r_mmi": n2r_mmi,
    "classifier": lambda model, settings: classifier(model, settings.objective),
    **UNIREX_METHODS,
}
"""Name -> what makes the method, or one for each of its stages, of a model and the settings."""

__all__ = ["METHODS", "Method", "Rationale", "Settings", "Update", "rationalize"]
