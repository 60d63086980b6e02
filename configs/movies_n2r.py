"""N2R on Movies with GRUs at length 1,024 (N2R, Table 8).

    python -m n2r_jax.main --config=configs/movies_n2r.py \\
        --workdir=runs/movies_n2r \\
        --config.data.train=DIR --config.data.vectors=glove.6B.100d.txt

Expected, mean (sd) of seeds 1 to 5 in percent:
    S 20.3 (2.2), accuracy 88.4 (2.1), P 45.6 (2.1), R 31.7 (1.6), F1 37.4 (1.9)

DIR is ERASER's directory of Movies. Its test rationales are three times as dense as those of train
and dev. An epoch is 50 steps of 32 texts. Not run by us, for want of the papers' word vectors.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import movies


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return movies.get_config("n2r", preset)
