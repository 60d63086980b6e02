"""UNIREX on Movies: 1,600 long reviews of ERASER (Table 7).

    python -m n2r_jax.main --config=configs/unirex_movies.py:slm_fp \\
        --workdir=runs/unirex_movies_slm_fp \\
        --config.data.train=DIR

Expected of BigBird, mean of seeds 0 to 2 (the metrics' definitions are UNIREX's):
             macro F1   comp   suff  AUPRC    TF1
    aa_ig       95.33  0.134  0.219   8.88  36.39
    aa_f        93.33  0.505  0.122   9.14  36.28
    dlm_p       95.83  0.024  0.238  94.32  89.53
    dlm_fp      94.33  0.283  0.216  93.65  88.68
    slm_fp      94.83  0.313  0.213  91.70  86.17

DIR is ERASER's directory. The table's plausibility is of rationales that the release misplaces, by
counting tokens anew in every sentence: --config.data.movies_alignment=authors does so (by words),
the default puts them where the annotators did. Reviews are cut at the end, where the release keeps
the end of those that have no gold at the beginning.
Not run by us, for want of BigBird's weights; the time is not known.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import unirex


def get_config(argument: str = "slm_fp") -> ConfigDict:
    """Return the settings of a method, and of a model after a comma; see `unirex`."""
    data = {"name": "eraser", "max_length": 1024, "without_evidence": "drop"}
    return unirex.get_config(argument, data, buckets=(512, 768, 1024), sparsity=0.1)
