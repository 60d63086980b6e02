"""RNP on Beer-Appearance with GRUs (N2R, Table 1).

    python -m n2r_jax.main --config=configs/beer_appearance_rnp.py \\
        --workdir=runs/beer_appearance_rnp \\
        --config.data.manual_directory=DIR --config.data.vectors=glove.6B.100d.txt

Expected, mean (sd) of seeds 1 to 5 in percent, corpus-micro over the annotated texts:
    S 14.7 (0.7), accuracy 78.2 (3.3), P 75.0 (0.5),
    R 59.7 (3.1), F1 66.5 (2.1)

DIR holds the corpus's files, which we may not give out (see n2r_jax/data/beer.py). An epoch
is 264 steps of 128 texts. Not run by us, for want of the data.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import corpora


def get_config(preset: str = "release") -> ConfigDict:
    """Return the paper's settings with the switches of a preset."""
    return corpora.get_config("beer", "appearance", "rnp", preset)
