"""UNIREX's SLM-FP in plain PyTorch: the other side of its benchmark.

A worker of `bench_worker`, run as a script by a Python of its own that has torch and numpy only.
"""

from __future__ import annotations

import platform

import numpy as np
import torch
from bench_transformer_sizes import Settings, timed
from bench_transformer_torch import Batch, Encoder, as_batch
from bench_worker import serve
from torch import Tensor, nn
from torch.nn import functional

K = (1, 5, 10, 20, 50)
WEIGHT, COMPREHENSIVENESS_MARGIN, SUFFICIENCY_MARGIN = 0.5, 1.0, 0.1


class Model(nn.Module):
    """One encoder with the extractor's and the predictor's heads, and Adam."""

    def __init__(self, settings: Settings):
        super().__init__()
        torch.manual_seed(settings.seed)
        width = settings.hidden
        self.settings, self.encoder = settings, Encoder(settings)
        self.scorer, self.pooler, self.classifier = (
            nn.Linear(width, outputs) for outputs in (1, width, 2)
        )
        self.optimiser = torch.optim.Adam(self.parameters(), lr=settings.learning_rate)

    def scores(self, batch: Batch) -> Tensor:
        """A score a piece, [B, P]."""
        states = self.encoder(self.encoder.words(batch.ids), batch.real)
        return self.scorer(states).squeeze(-1)

    def logits(self, ids: Tensor, visible: Tensor) -> Tensor:
        """Of texts of which the pieces that are not visible are hidden from attention."""
        states = self.encoder(self.encoder.words(ids), visible)
        return self.classifier(torch.tanh(self.pooler(states[:, 0])))


def top_masks(scores: Tensor, words: Tensor) -> Tensor:
    """1 at the best max(1, round(n k / 100)) words of every text for every k, [K, B, P]."""
    ranked = scores.detach().masked_fill(words == 0, float("-inf"))
    rank = ranked.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    count = words.sum(1)
    sizes = [(count * k / 100).round().clamp(min=1)[:, None] for k in K]
    return torch.stack([((rank < size) & (words > 0)).float() for size in sizes])


def loss_of(model: Model, batch: Batch) -> Tensor:
    """L_task + w_c L_comp + w_s L_suff + w_p L_plaus, with margins and BCE."""
    scores, special = model.scores(batch), batch.real - batch.words
    chosen = top_masks(scores, batch.words)
    without, alone = batch.words[None] - chosen + special[None], chosen + special[None]
    visible = torch.cat([batch.real[None], without, alone])
    copies = len(visible)
    logits = model.logits(batch.ids.repeat(copies, 1), visible.flatten(0, 1))
    cross_entropy = functional.cross_entropy(logits, batch.labels.repeat(copies), reduction="none")
    task, left, kept = cross_entropy.view(copies, -1).split([1, len(K), len(K)])
    comprehensiveness = (task - left).clamp(min=-COMPREHENSIVENESS_MARGIN).mean()
    sufficiency = (kept - task).clamp(min=-SUFFICIENCY_MARGIN).mean()
    gold, seen = ((batch.ids % 5 == 0) * batch.words)[batch.words > 0], scores[batch.words > 0]
    weight = (len(gold) - gold.sum()) / gold.sum()
    plausibility = functional.binary_cross_entropy_with_logits(seen, gold, pos_weight=weight)
    margins = COMPREHENSIVENESS_MARGIN + SUFFICIENCY_MARGIN
    return task.mean() + WEIGHT * (comprehensiveness + sufficiency + margins + plausibility)


def train(model: Model, batch: Batch) -> None:
    """One iteration."""
    model.optimiser.zero_grad()
    loss_of(model, batch).backward()
    model.optimiser.step()


class Bench:
    """Answers the driver's requests with one model, so that its state is kept between them."""

    def setup(self, threads: int = 2, **fields: str | int | float) -> dict[str, str]:
        """A new model; the versions it runs on."""
        torch.set_num_threads(threads)
        self.model = Model(Settings(**fields))
        python = platform.python_version()
        return {"python": python, "torch": torch.__version__, "numpy": np.__version__}

    def train(self, repeat: int = 1, clock: str = "wall") -> list[float]:
        """Seconds of whole iterations."""
        self.model.train()
        made = [as_batch(self.model.settings.arrays(seed)) for seed in range(repeat)]
        return timed(lambda batch: train(self.model, batch), made, clock)


if __name__ == "__main__":
    bench = Bench()
    serve(bench.setup, {"train": bench.train})
