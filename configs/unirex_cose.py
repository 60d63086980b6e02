"""UNIREX on CoS-E: 8,752 questions with five answers to choose from (Table 8).

    python -m n2r_jax.main --config=configs/unirex_cose.py:slm_fp \\
        --workdir=runs/unirex_cose_slm_fp \\
        --config.data.train=DIR

Expected of BigBird, mean of seeds 0 to 2 (the metrics' definitions are UNIREX's):
             accuracy   comp   suff  AUPRC    TF1
    aa_ig       63.56  0.216  0.378  40.07  48.34
    aa_f        63.58  0.297  0.286  46.97  53.99
    dlm_p       64.13  0.180  0.390  76.07  69.76
    dlm_fp      62.50  0.293  0.321  76.38  69.52
    slm_fp      62.09  0.390  0.424  75.12  69.25

DIR is ERASER's directory, whose queries are the answers. JSONL files with `choices` are read by
--config.data.name=files and a file for each of data.train, data.dev and data.test. A batch of 32
questions has 160 rows. Few gold rationales (Figure 8): --config.unirex.gold_percent=5.
Not run by us, for want of BigBird's weights; the time is not known.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import unirex


def get_config(argument: str = "slm_fp") -> ConfigDict:
    """Return the settings of a method, and of a model after a comma; see `unirex`."""
    data = {
        "name": "eraser",
        "max_length": 77,
        "second": "choices",
        "without_evidence": "drop",
    }
    return unirex.get_config(argument, data, buckets=(32, 48, 77), sparsity=0.35)
