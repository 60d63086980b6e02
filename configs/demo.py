"""N2R+MMI on the embedded hotel reviews: the main job of `make demo`.

    python -m n2r_jax.main --config=configs/demo.py --workdir=runs/demo

Expected on the 500 test reviews (seed 1, 2 CPU devices): accuracy 90, rationale F1 38 at S 11,
where a random mask has 13; RNP with the same settings reaches 51. A minute or two on two cores.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings; no file is read and nothing is downloaded."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = "n2r_mmi"
        config.data.update(name="reviews", aspect="service", sizes=(3000, 300, 500))
        config.data.max_length = 96
        config.model.update(units=50, dimension=50)
        config.batching.update(batch_size=32, buckets=(64, 96))
        config.training.update(epochs=8, learning_rate=2e-3, log_every=20)
        config.objective.update(sparsity=0.15, lambda_sparsity=1.0, lambda_continuity=0.3)
        config.objective.lambda_norm = 0.1
    return config
