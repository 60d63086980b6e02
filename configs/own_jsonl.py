"""N2R+MMI on your own labelled rows.

    python -m n2r_jax.main --config=configs/own_jsonl.py --workdir=runs/mine \\
        --config.data.train=train.jsonl --config.data.dev=dev.jsonl \\
        --config.data.vectors=glove.6B.100d.txt

One JSON object a line: {"text": "...", "label": "refund"}, or "tokens" in place of text; CSV, TSV
and Parquet with the same columns work too, and .gz of each. A rationale ("rationale": [0, 1, ...],
"spans" or "char_spans") is optional and never trained on: with it, dev shows the rationale's F1.

There is no expected number: look at `n2r data check train.jsonl dev.jsonl` first, and set
`--config.objective.sparsity` to the share of words that you would mark yourself. Two minutes for
1,000 texts of 100 words on two CPU cores.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "release") -> ConfigDict:
    """Return settings for some hundred to some ten thousand texts."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = "n2r_mmi"
        config.data.update(name="files", too_long="error")
        config.batching.update(batch_size=32, balance=False)
        config.training.update(epochs=30, learning_rate=1e-3, patience=10)
        config.objective.update(sparsity=0.15, lambda_continuity=2.0)
    return config
