"""Placeholder."""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst_minilm


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst_minilm.get_config("n2r_mmi", preset)
