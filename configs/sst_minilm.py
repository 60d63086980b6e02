"""What the configs of SST on MiniLM share: BERT of 6 layers of 384 units, once for each player.

The embeddings and the lower three layers stay as they are. Settings were chosen on dev with one
seed of RNP and one of N2R (accuracy and rationale F1).
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(method: str, preset: str) -> ConfigDict:
    """Return the settings of a method; data and encoder come from the command line."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.model.name = "transformer"
        config.encoder.update(masking="attention", frozen=4, head_learning_rate=1e-3)
        config.data.max_length = 64  # pieces
        config.batching.update(batch_size=32, buckets=(16, 24, 32, 64), balance=False)
        config.training.update(epochs=5, learning_rate=3e-4, checkpoint_every=0)
        config.training.update(schedule="linear", warmup=0.1, log_every=20)
        config.objective.update(sparsity=0.35, lambda_sparsity=1.0, lambda_continuity=0.1)
    return config
