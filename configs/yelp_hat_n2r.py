"""N2R on Yelp-HAT with GRUs.

    python -m experiments.real_data --dataset yelp_hat --data DIR --vectors FILE

Expected on test, mean (sd) of seeds 1 to 5 in percent, corpus-micro: S 16.1 (1.6),
accuracy 87.5 (0.7), P 29.8 (1.6), R 36.5 (4.5), F1 32.7 (2.5); a random mask
of that S has F1 14.4 (0.6). Two minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import yelp_hat


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return yelp_hat.get_config("n2r", preset)
