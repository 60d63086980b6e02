"""What the SST configs share: 6,920 sentences with rationales from phrase labels.

Settings were chosen on dev (rationale F1 and accuracy), as for Yelp-HAT, which see.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(method: str, preset: str) -> ConfigDict:
    """Return the settings of a method; data paths come from the command line."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.data.update(max_length=56, vectors_norm=4.0)
        config.batching.update(batch_size=64, buckets=(16, 24, 32, 56), balance=False)
        config.training.update(epochs=8, learning_rate=1e-3, checkpoint_every=0)
        config.objective.update(sparsity=0.35, lambda_sparsity=1.0, lambda_continuity=0.3)
        config.objective.lambda_norm = 1.0
    return config
