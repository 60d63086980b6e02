"""N2R on SST with GRUs.

    python -m experiments.real_data --dataset sst --data DIR --vectors FILE

Expected on test, mean (sd) of seeds 1 to 5 in percent, corpus-micro: S 35.6 (0.9),
accuracy 78.9 (0.4), P 57.6 (1.3), R 48.2 (0.6), F1 52.5 (0.6); a random mask
of that S has F1 38.7 (0.6). Two minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst.get_config("n2r", preset)
