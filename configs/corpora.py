"""What the beer and hotel configs share (N2R appendix A.2 and the release's README)."""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base

BATCH_SIZES = {"beer": 128, "hotel": 256}


def get_config(corpus: str, aspect: str, method: str, preset: str) -> ConfigDict:
    """Return the settings of a corpus, one of its aspects and a method."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.data.update(name=corpus, aspect=aspect, directory=f"data/{corpus}")
        config.batching.batch_size = BATCH_SIZES[corpus]
        config.objective.sparsity = 0.125
    return config
