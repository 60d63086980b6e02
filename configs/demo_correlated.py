"""The demo's reviews with aspects that mostly share their polarity (correlation 0.8).

    python -m n2r_jax.main --config=configs/demo_correlated.py --workdir=runs/demo_correlated

The other aspects then predict the label in 90 % of the reviews without being its reason: the
spurious correlation that rationale extraction falls for. Expected with seed 1 on test, in percent,
corpus-micro: accuracy 96.0, F1 32.7 at S 13.5, random 14.6 at that S (37.8 without correlation,
see demo.py). `--config.method=rnp` gives 36.9 at S 11.5 (50.6 without correlation), n2r 14.0 at
S 14.8: its extractor never hears of the label. 45 s each on two cores.
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
