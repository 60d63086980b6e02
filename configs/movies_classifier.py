"""The full-text classifier on Movies with GRUs at length 1,024 (N2R, Table 8).

    python -m n2r_jax.main --config=configs/movies_classifier.py \\
        --workdir=runs/movies_classifier \\
        --config.data.train=DIR --config.data.vectors=glove.6B.100d.txt

Expected, mean (sd) of seeds 1 to 5 in percent:
    accuracy 86.4 (2.3)

DIR is ERASER's directory of Movies. Its test rationales are three times as dense as those of train
and dev. An epoch is 50 steps of 32 texts. Not run by us, for want of the papers' word vectors.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import movies


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return movies.get_config("classifier", preset)
