"""RNP on SST with GRUs.

    python -m experiments.real_data --dataset sst --data DIR --vectors FILE

Expected on test, mean (sd) of seeds 1 to 5 in percent, corpus-micro: S 31.5 (2.7),
accuracy 77.3 (0.8), P 55.4 (2.4), R 40.9 (2.4), F1 47.0 (1.3); a random mask
of that S has F1 36.1 (1.8). Two minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst.get_config("rnp", preset)
