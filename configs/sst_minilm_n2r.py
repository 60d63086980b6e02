"""N2R on SST with MiniLM, 1,500 of the training sentences.

    python -m experiments.real_data --dataset sst_minilm --data DIR --encoder DIR \\
        --train-rows 1500 --dev-rows 400 --seeds 1 2 3

Expected on test, mean (sd) of seeds 1 to 3 in percent, corpus-micro: S 23.1 (4.8),
accuracy 75.6 (1.6), P 67.2 (4.0), R 36.4 (7.1), F1 46.9 (5.7); a random mask
of that S has F1 29.8 (3.9). Some thirteen minutes a seed on one CPU core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import sst_minilm


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return sst_minilm.get_config("n2r", preset)
