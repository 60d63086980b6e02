"""RNP: rationalising neural prediction (Lei et al. 2016; N2R eqs. 3-5)."""

from __future__ import annotations

from n2r_jax.methods.base import Method
from n2r_jax.methods.updates import BOTH, Settings, cooperative_method, prediction_update
from n2r_jax.models.interface import RationaleModel


def rnp(model: RationaleModel, settings: Settings) -> Method:
    """Maximum mutual information: one update trains both on cross-entropy(f_P(Z)) + omega."""
    update = prediction_update(model, settings, BOTH, omega_too=True)
    return cooperative_method("rnp", model, settings, update)
