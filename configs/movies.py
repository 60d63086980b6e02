"""What the Movies configs share: 1,600 long reviews of ERASER (N2R Table 8).

The paper gives GRUs and a length of 1,024; batch size and epochs are not published.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(method: str, preset: str) -> ConfigDict:
    """Return the settings of a method; the data's directory comes from the command line."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.data.update(name="eraser", max_length=1024)
        config.batching.update(batch_size=32, buckets=(512, 768, 1024), balance=False)
        config.evaluation.batch_size = 32
        config.training.update(epochs=100, patience=20)
        config.objective.sparsity = 0.18
    return config


def get_transformer_config(method: str, preset: str) -> ConfigDict:
    """Return the settings with BigBird, block-sparse at this length, in place of the GRU."""
    config = get_config(method, preset)
    with config.unlocked():
        config.model.update(name="transformer", dropout=0.1)
        config.encoder.update(pretrained="google/bigbird-roberta-base", remat=True)
        config.batching.update(batch_size=8)
        config.evaluation.batch_size = 16
        config.training.update(epochs=20, patience=5, learning_rate=2e-5)
        config.training.update(schedule="linear", warmup=0.1, weight_decay=0.01, clip_norm=1.0)
    return config
