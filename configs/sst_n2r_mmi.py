"""N2R+MMI on SST with GRUs.

    python -m experiments.real_data --dataset sst --data DIR --vectors FILE

Expected: not measured yet.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst.get_config("n2r_mmi", preset)
