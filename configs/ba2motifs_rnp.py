"""BA2Motifs, a GCN, RNP (N2R Table 4).

    python -m n2r_jax.main --config=configs/ba2motifs_rnp.py --workdir=runs/ba2motifs_rnp \\
        --config.data.train=ba2motifs.npz

Expected: F1 36.4 (3.8), S 20.3, accuracy 95.2 (N2R Table 4, five seeds).
Not reproduced yet: experiments/results/ba2motifs.md. A minute on two CPU cores.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import ba2motifs


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings of this row."""
    return ba2motifs.get_config("rnp", preset)
