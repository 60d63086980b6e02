"""N2R+MMI on SST with GRUs.

    python -m experiments.real_data --dataset sst --data DIR --vectors FILE

Expected on test, mean (sd) of seeds 1 to 5 in percent, corpus-micro: S 35.8 (1.3),
accuracy 78.7 (0.6), P 57.0 (1.2), R 48.1 (1.0), F1 52.1 (0.6); a random mask
of that S has F1 38.9 (0.7). Two minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst.get_config("n2r_mmi", preset)
