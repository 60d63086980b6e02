"""What the graph rows of N2R's Table 4 share: BA2Motifs, a GCN, a fifth of the nodes."""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import base


def get_config(method: str, preset: str = "release") -> ConfigDict:
    """Return settings for 770 training graphs of 25 nodes; no lambda is tuned yet."""
    config = base.get_config(preset or "release")
    with config.unlocked():
        config.method = method
        config.model.update(name="gcn", units=64, dropout=0.0)
        config.graph.update(layers=3, weights="one", pooling="max")
        config.data.update(name="graphs", max_length=25)
        config.batching.update(batch_size=64, buckets=(25,), balance=False)
        config.training.update(epochs=200, learning_rate=3e-3, log_every=50)
        config.objective.update(sparsity=0.2, lambda_sparsity=2.0, lambda_continuity=0.0)
    return config
