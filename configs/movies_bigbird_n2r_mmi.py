"""N2R+MMI on Movies with BigBird at 1,024 pieces.

    python -m n2r_jax.main --config=configs/movies_bigbird_n2r_mmi.py \\
        --workdir=runs/movies_bigbird_n2r_mmi \\
        --config.data.train=DIR

The paper has no such row (its Table 8 is of GRUs): there is no expected number.

DIR is ERASER's directory of Movies; the encoder is fetched from its hub, or named as a directory by
--config.encoder.pretrained=PATH. Meant for a GPU: an epoch is 200 steps of 8 texts. Not run by us,
for want of the weights.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import movies


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings with the switches of a preset."""
    return movies.get_transformer_config("n2r_mmi", preset)
