"""The demo's reviews with aspects that mostly share their polarity (correlation 0.8).

    python -m n2r_jax.main --config=configs/demo_correlated.py --workdir=runs/demo_correlated

The other aspects then predict the label in 90 % of the reviews without being its reason: the
spurious correlation that rationale extraction falls for. Expected: not measured yet.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import demo


def get_config(preset: str = "release") -> ConfigDict:
    """Return the demo's settings on correlated reviews."""
    config = demo.get_config(preset)
    with config.unlocked():
        config.data.correlation = 0.8
    return config
