"""N2R+MMI on Yelp-HAT with GRUs.

    python -m experiments.real_data --dataset yelp_hat --data DIR --vectors FILE

Expected: not measured yet.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import yelp_hat


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return yelp_hat.get_config("n2r_mmi", preset)
