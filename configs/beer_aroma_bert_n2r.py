"""N2R on Beer-Aroma with bert-base-uncased (N2R, Table 3).

    python -m n2r_jax.main --config=configs/beer_aroma_bert_n2r.py \\
        --workdir=runs/beer_aroma_bert_n2r \\
        --config.data.manual_directory=DIR

Expected, mean (sd) of seeds 1 to 5 in percent:
    S 10.0 (0.1), accuracy 91.0 (3.6), P 74.3 (5.8), R 47.0 (3.7), F1 57.6 (4.5)

DIR holds the corpus's files, which we may not give out (see n2r_jax/data/beer.py); the encoder is
fetched from its hub, or named as a directory by --config.encoder.pretrained=PATH. Meant for a GPU:
an epoch is about 1,900 steps of 16 texts. Not run by us, for want of the data and the weights.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import beer_bert


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return beer_bert.get_config("aroma", "n2r", preset)
