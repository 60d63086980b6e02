"""What the beer configs share (N2R appendix A.2 and the release's README)."""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(aspect: str, method: str, preset: str) -> ConfigDict:
    """Return the settings of an aspect and a method."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.data.update(name="beer", aspect=aspect, directory="data/beer")
        config.batching.batch_size = 128
        config.objective.sparsity = 0.125
    return config
