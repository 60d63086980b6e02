"""UNIREX on SST: 6,920 sentences with rationales from phrase labels (Table 6).

    python -m n2r_jax.main --config=configs/unirex_sst.py:slm_fp \\
        --workdir=runs/unirex_sst_slm_fp \\
        --config.data.train=DIR

Expected of BigBird, mean of seeds 0 to 2 (the metrics' definitions are UNIREX's):
             accuracy   comp   suff  AUPRC    TF1
    aa_ig       93.81  0.119  0.258  49.94  50.75
    aa_f        92.97  0.292  0.171  48.13  50.96
    dlm_p       94.86  0.142  0.255  84.35  71.54
    dlm_fp      93.81  0.319  0.167  85.80  72.76
    slm_fp      93.68  0.302  0.113  82.55  70.65

DIR holds train.json, dev.json and test.json of Carton et al. (2020). Other copies with tokens and
rationales are read by --config.data.name=files and a file for each of data.train, data.dev and
data.test. Few gold rationales (Figure 7): --config.unirex.gold_percent=5.
Not run by us, for want of BigBird's weights; the time is not known.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import unirex


def get_config(argument: str = "slm_fp") -> ConfigDict:
    """Return the settings of a method, and of a model after a comma; see `unirex`."""
    data = {"name": "sst", "max_length": 67}
    return unirex.get_config(argument, data, buckets=(24, 40, 67), sparsity=0.4)
