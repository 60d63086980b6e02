"""N2R+MMI on the embedded reviews: the main job of `make demo`.

python -m n2r_jax.main --config=configs/demo.py --workdir=runs/demo
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings; no file is read and nothing is downloaded."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = "n2r_mmi"
        config.data.update(name="reviews", aspect="service", sizes=(2000, 400, 500))
        config.data.max_length = 96
        config.batching.buckets = (64, 96)
        config.training.update(epochs=12, learning_rate=2e-3, log_every=10)
        config.objective.sparsity = 0.15
    return config
