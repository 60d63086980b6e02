"""UNIREX on molecules: which atoms are a benzene ring (no row of the paper; graphs and GCNs).

    python -m n2r_jax.main --config=configs/unirex_benzene.py:slm_fp \\
        --workdir=runs/unirex_benzene_slm_fp --config.data.train=benzene.npz

The file is GraphXAI's 12,000 molecules (Agarwal et al. 2023) as the arrays of docs/graphs.md. Gold
are the atoms of all rings, of molecules that have one. Expected, three seeds:
experiments/results/unirex_main_benzene.md. One to five minutes on a core.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import unirex


def get_config(argument: str = "slm_fp") -> ConfigDict:
    """Return the settings of a method."""
    data = {"name": "graphs", "max_length": 64}
    sizes = {"buckets": (16, 24, 32, 48), "sparsity": 0.37}
    return unirex.get_config(argument, data, **sizes, otherwise="gcn")
