"""RNP on Movies with GRUs at length 1,024 (N2R, Table 8).

    python -m n2r_jax.main --config=configs/movies_rnp.py \\
        --workdir=runs/movies_rnp \\
        --config.data.train=DIR --config.data.vectors=glove.6B.100d.txt

Expected, mean (sd) of seeds 1 to 5 in percent:
    S 20.0, P 35.6, R 21.1, F1 24.1
which the paper copies from another one (means over texts, not corpus-micro).

DIR is ERASER's directory of Movies. Its test rationales are three times as dense as those of train
and dev. An epoch is 50 steps of 32 texts. Not run by us, for want of the papers' word vectors.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import movies


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return movies.get_config("rnp", preset)
