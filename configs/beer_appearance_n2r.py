"""N2R on Beer-Appearance with GRUs (N2R, Table 1).

    python -m n2r_jax.main --config=configs/beer_appearance_n2r.py \\
        --workdir=runs/beer_appearance_n2r \\
        --config.data.manual_directory=DIR --config.data.vectors=glove.6B.100d.txt

Expected, mean (sd) of seeds 1 to 5 in percent, corpus-micro over the annotated texts:
    S 14.8 (0.5), accuracy 82.3 (1.8), P 81.9 (2.7),
    R 65.3 (2.2), F1 72.7 (2.1)

DIR holds the corpus's files, which we may not give out (see n2r_jax/data/beer.py). An epoch
is 264 steps of 128 texts. Not run by us, for want of the data.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import corpora


def get_config(preset: str = "release") -> ConfigDict:
    """Return the paper's settings with the switches of a preset."""
    return corpora.get_config("beer", "appearance", "n2r", preset)
