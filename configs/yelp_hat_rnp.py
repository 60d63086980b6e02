"""RNP on Yelp-HAT with GRUs.

    python -m experiments.real_data --dataset yelp_hat --data DIR --vectors FILE

Expected on test, mean (sd) of seeds 1 to 5 in percent, corpus-micro: S 12.8 (1.2),
accuracy 87.7 (1.0), P 29.3 (2.3), R 28.4 (2.7), F1 28.8 (2.1); a random mask
of that S has F1 12.9 (0.6). Two minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import yelp_hat


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return yelp_hat.get_config("rnp", preset)
