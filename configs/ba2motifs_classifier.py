"""BA2Motifs, a GCN, the predictor on whole graphs (N2R Table 4).

    python -m n2r_jax.main --config=configs/ba2motifs_classifier.py --workdir=runs/ba2motifs \\
        --config.data.train=ba2motifs.npz

Expected: no number in the paper.
Ours: 100 % on dev. A minute on two CPU cores.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import ba2motifs


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings of this row."""
    return ba2motifs.get_config("classifier", preset)
