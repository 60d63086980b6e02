"""The data sets of UNIREX's zero-shot transfer (Table 2), which have no gold rationales.

    python -m n2r_jax.main --config=configs/unirex_transfer.py:yelp,aa_f \\
        --workdir=runs/unirex_yelp_aa_f \\
        --config.data.train=DIR

The argument names the data set, then the method and after another comma `gru`: yelp, amazon,
stormfront, offenseval or semeval2018, each in its makers' files (n2r_jax/data/public.py). Yelp and
Amazon are drawn by label; --config.data.polarity_sampling=head takes the files' heads, as the
release does.

Expected of BigBird trained on SST and tested here, mean of seeds 0 to 2, with SST's label 1 read as
the data set's (so that F1 is low where it means hate):
                        CSD of aa_ig   aa_f  dlm_fp  slm_fp    task metric of aa_ig   slm_fp
    yelp, accuracy            -0.149  0.013   0.169   0.114                   92.50    86.60
    amazon, accuracy          -0.148  0.057   0.133   0.097                   91.13    81.82
    stormfront, binary F1     -0.109  0.127   0.052   0.049                   10.48     4.51
    offenseval, macro F1      -0.146 -0.029   0.053   0.039                   33.51    38.17
    semeval2018, binary F1    -0.120 -0.028   0.047   0.027                   29.63    17.42

There is no published number of a model trained on these. Not run by us, for want of BigBird's
weights; the time is not known.
"""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict

from configs import unirex
from n2r_jax.errors import UserError

POLARITY = {"name": "polarity", "sizes": (10000, 2000, 2000)}
TWEETS = {"name": "tweet_eval", "max_length": 128}
DATA: dict[str, dict[str, Any]] = {
    "yelp": POLARITY | {"max_length": 512},
    "amazon": POLARITY | {"max_length": 256},
    "stormfront": {"name": "stormfront", "max_length": 128},
    "offenseval": TWEETS | {"labels": ("not_offensive", "offensive")},
    "semeval2018": TWEETS | {"labels": ("not_irony", "irony")},
}


def get_config(argument: str = "yelp,aa_f") -> ConfigDict:
    """Return the settings of a data set, a method and a model; see above."""
    name, _, method = argument.partition(",")
    if name not in DATA:
        raise UserError(f"there is no data set {name!r}; choose one of {', '.join(DATA)}")
    data = DATA[name]
    length = data["max_length"]
    buckets = (length // 4, length // 2, length)
    return unirex.get_config(method or "aa_f", data, buckets=buckets, sparsity=0.2)
