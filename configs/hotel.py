"""What the hotel configs share (N2R appendix A.2)."""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(aspect: str, method: str, preset: str) -> ConfigDict:
    """Return the settings of an aspect and a method."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.data.update(name="hotel", aspect=aspect, directory="data/hotel")
        config.batching.batch_size = 256
        config.objective.sparsity = 0.125
    return config
