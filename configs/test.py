"""Ten steps of N2R+MMI on the embedded reviews: does the machinery run?

    python -m n2r_jax.main --config=configs/test.py --workdir=runs/test

Expected: an accuracy near 50 %, after half a minute. Overrides choose any other method.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "release") -> ConfigDict:
    """Return settings small enough for a test: 5 steps an epoch, 2 epochs."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = "n2r_mmi"
        config.data.update(name="reviews", aspect="service", sizes=(80, 32, 32), max_length=96)
        config.model.update(units=8, dimension=16)
        config.batching.update(batch_size=16, buckets=(96,))
        config.evaluation.update(batch_size=16, bootstrap=100)
        config.training.update(epochs=2, learning_rate=1e-3, log_every=2)
    return config
