"""N2R+MMI on Beer-Appearance with bert-base-uncased, beside N2R's Table 3.

    python -m n2r_jax.main --config=configs/beer_appearance_bert_n2r_mmi.py \\
        --workdir=runs/beer_appearance_bert_n2r_mmi \\
        --config.data.manual_directory=DIR

The paper has no such row (N2R+MMI was not run with BERT): there is no expected number.

DIR holds the corpus's files, which we may not give out (see n2r_jax/data/beer.py); the encoder is
fetched from its hub, or named as a directory by --config.encoder.pretrained=PATH. Meant for a GPU:
an epoch is about 2,100 steps of 16 texts. Not run by us, for want of the data and the weights.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import beer_bert


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return beer_bert.get_config("appearance", "n2r_mmi", preset)
