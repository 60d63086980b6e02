"""BA2Motifs, a GCN, N2R+MMI (N2R Table 4).

    python -m n2r_jax.main --config=configs/ba2motifs_n2r_mmi.py --workdir=runs/ba2motifs_n2r_mmi \\
        --config.data.train=ba2motifs.npz

Expected: no number in the paper: Table 4 has RNP and N2R alone.
Not reproduced yet: experiments/results/ba2motifs.md. A minute on two CPU cores.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import ba2motifs


def get_config(preset: str = "release") -> ConfigDict:
    """Return the settings of this row."""
    return ba2motifs.get_config("n2r_mmi", preset)
