"""UNIREX on MultiRC: passages with a question and its answer, right or not (Table 9).

    python -m n2r_jax.main --config=configs/unirex_multirc.py:slm_fp \\
        --workdir=runs/unirex_multirc_slm_fp \\
        --config.data.train=DIR

Expected of BigBird, mean of seeds 0 to 2 (the metrics' definitions are UNIREX's):
             macro F1   comp   suff  AUPRC    TF1
    aa_ig       69.80  0.162  0.222  18.71  41.79
    aa_f        66.17  0.505 -0.071  18.82  43.68
    dlm_p       69.91  0.127  0.322  71.80  77.94
    dlm_fp      67.53  0.135  0.165  71.89  77.63
    slm_fp      69.20  0.198  0.171  71.69  77.79

DIR is ERASER's directory; a query is read behind its passage, as the second text of a pair.
Not run by us, for want of BigBird's weights; the time is not known.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import unirex


def get_config(argument: str = "slm_fp") -> ConfigDict:
    """Return the settings of a method, and of a model after a comma; see `unirex`."""
    data = {
        "name": "eraser",
        "max_length": 748,
        "second": "query",
        "without_evidence": "drop",
    }
    return unirex.get_config(argument, data, buckets=(384, 512, 748), sparsity=0.17)
