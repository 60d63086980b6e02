"""N2R+MMI on SST with MiniLM, 1,500 of the training sentences.

    python -m experiments.real_data --dataset sst_minilm --data DIR --encoder DIR \\
        --train-rows 1500 --dev-rows 400 --seeds 1 2 3

Expected on test, mean (sd) of seeds 1 to 3 in percent, corpus-micro: S 34.5 (1.0),
accuracy 81.8 (1.2), P 55.7 (6.5), R 45.3 (6.6), F1 49.9 (6.6); a random mask
of that S has F1 38.1 (0.6). Some thirteen minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst_minilm


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst_minilm.get_config("n2r_mmi", preset)
