"""N2R, norm to rationale, alone and together with RNP's objective.

    method    update 1                                         update 2
    n2r       predictor: cross-entropy(f_P(stop_gradient(Z)))  extractor: -log||Enc(Z)|| + omega
    n2r_mmi   both: cross-entropy(f_P(Z)) + omega              extractor: -log||Enc(Z)|| + omega

N2R is eqs. 8-10 and appendix A.3 of the paper, N2R+MMI is eqs. 11-13 and A.4.
"""

from __future__ import annotations

from n2r_jax.methods.base import Method
from n2r_jax.methods.updates import (
    BOTH,
    Settings,
    cooperative_method,
    norm_update,
    prediction_update,
)
from n2r_jax.models.interface import RationaleModel


def n2r(model: RationaleModel, settings: Settings) -> Method:
    """The extractor never sees the cross-entropy.

    In the release its optimiser also steps on omega in update 1 (`settings.omega_in_update_1`).
    """
    omega_too = settings.omega_in_update_1
    trains = BOTH if omega_too else ("predictor",)
    first = prediction_update(model, settings, trains, omega_too=omega_too, stop_gradient=True)
    return cooperative_method("n2r", model, settings, first, norm_update(model, settings))


def n2r_mmi(model: RationaleModel, settings: Settings) -> Method:
    """RNP's update, then the extractor once more on the norm."""
    first = prediction_update(model, settings, BOTH, omega_too=True)
    return cooperative_method("n2r_mmi", model, settings, first, norm_update(model, settings))
