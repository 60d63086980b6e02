"""UNIREX on e-SNLI: 549,309 pairs of premise and hypothesis (Table 10).

    python -m n2r_jax.main --config=configs/unirex_esnli.py:slm_fp \\
        --workdir=runs/unirex_esnli_slm_fp \\
        --config.data.train=DIR

Expected of BigBird, mean of seeds 0 to 2 (the metrics' definitions are UNIREX's):
             macro F1   comp   suff  AUPRC    TF1
    aa_ig       90.78  0.308  0.414  47.83  37.87
    aa_f        90.31  0.330  0.383  45.29  43.69
    dlm_p       90.80  0.311  0.371  87.85  77.63
    dlm_fp      90.51  0.335  0.346  86.99  77.53
    slm_fp      90.59  0.353  0.356  87.58  77.22

DIR is ERASER's directory, whose documents are NAME_premise and NAME_hypothesis.
Not run by us, for want of BigBird's weights; the time is not known.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import unirex


def get_config(argument: str = "slm_fp") -> ConfigDict:
    """Return the settings of a method, and of a model after a comma; see `unirex`."""
    data = {
        "name": "eraser",
        "max_length": 125,
        "second": "hypothesis",
        "without_evidence": "drop",
    }
    return unirex.get_config(argument, data, buckets=(32, 64, 125), sparsity=0.2)
