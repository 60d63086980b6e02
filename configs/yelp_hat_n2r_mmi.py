"""N2R+MMI on Yelp-HAT with GRUs.

    python -m experiments.real_data --dataset yelp_hat --data DIR --vectors FILE

Expected on test, mean (sd) of seeds 1 to 5 in percent, corpus-micro: S 16.4 (0.6),
accuracy 86.7 (1.7), P 27.4 (3.0), R 34.2 (4.1), F1 30.4 (3.5); a random mask
of that S has F1 14.6 (0.3). Two minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import yelp_hat


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return yelp_hat.get_config("n2r_mmi", preset)
