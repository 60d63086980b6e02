"""N2R+MMI on your own labelled graphs.

    python -m n2r_jax.main --config=configs/own_graphs.py --workdir=runs/graphs \\
        --config.data.train=graphs-train.jsonl --config.data.dev=graphs-dev.jsonl

One JSON object a line: {"nodes": ["C", "O"], "edges": [[0, 1]], "label": "yes"}: docs/graphs.md.
A rationale (0 or 1 for every node) is optional and never trained on: with it, dev shows its F1.

There is no expected number: look at `n2r data check` first, and set `--config.objective.sparsity`
to the share of nodes that you would mark yourself, `--config.data.max_length` to the nodes of the
largest graph. A minute for 1,000 graphs of 25 nodes on two CPU cores.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "release") -> ConfigDict:
    """Return settings for some hundred to some ten thousand graphs."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = "n2r_mmi"
        config.model.update(name="gcn", units=64)
        config.graph.update(weights="one")
        config.data.update(name="files", max_length=64, too_long="error")
        config.batching.update(batch_size=32, buckets=(16, 32, 48), balance=False)
        config.training.update(epochs=60, learning_rate=3e-3, patience=20)
        config.objective.update(sparsity=0.2, lambda_sparsity=2.0, lambda_continuity=0.0)
    return config
