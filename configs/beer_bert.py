"""What the Beer configs with bert-base-uncased share (N2R Tables 3 and 9).

The paper gives the encoder and the sparsity of 10 %; batch size, learning rate and the form of Enc
are not published and there is no code. Ours are those that BERT is usually fine-tuned with.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from configs import corpora


def get_config(aspect: str, method: str, preset: str) -> ConfigDict:
    """Return the settings of an aspect and a method."""
    config = corpora.get_config("beer", aspect, method, preset)
    with config.unlocked():
        config.model.update(name="transformer", dropout=0.1)
        config.encoder.pretrained = "google-bert/bert-base-uncased"
        config.data.max_length = 256
        config.batching.update(batch_size=16, buckets=(96, 128, 160, 192, 256))
        config.evaluation.batch_size = 64
        config.training.update(epochs=10, learning_rate=2e-5, schedule="linear", warmup=0.1)
        config.training.update(weight_decay=0.01, clip_norm=1.0, best_sparsity_at_most=0.15)
        config.objective.sparsity = 0.10
    return config
