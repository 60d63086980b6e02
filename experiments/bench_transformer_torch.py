"""N2R on two BERTs in plain PyTorch: the other side of the transformer benchmark.

A worker of `bench_worker`, run as a script by a Python of its own that has torch and numpy only.
The encoder does what Hugging Face's BertModel does, by the same functions of PyTorch, without what
that wraps around them.
"""

from __future__ import annotations

import platform
from typing import NamedTuple

import numpy as np
import torch
from bench_transformer_sizes import Settings, timed
from bench_worker import Arrays, serve
from torch import Tensor, nn
from torch.nn import functional


class Batch(NamedTuple):
    """B texts padded to P pieces."""

    ids: Tensor  # [B, P]
    real: Tensor  # [B, P], 1 at pieces and 0 at pads
    words: Tensor  # [B, P], 1 at words: neither special nor pads
    labels: Tensor  # [B]


class Layer(nn.Module):
    """Attention and the feed-forward part, each with its residual connection."""

    def __init__(self, settings: Settings):
        super().__init__()
        width, inner = settings.hidden, settings.inner
        self.heads, self.rate = settings.heads, settings.attention_dropout
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The next layer's input, [B, P, H]."""
        parts = (
            linear(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        rate = self.rate if self.training else 0.0
        drawn = functional.scaled_dot_product_attention(*parts, attn_mask=mask, dropout_p=rate)
        drawn = self.output(drawn.transpose(1, 2).flatten(2))
        x = self.norms[0](x + self.dropout(drawn))
        bent = functional.gelu(self.inner(x))
        return self.norms[1](x + self.dropout(self.outer(bent)))


class Encoder(nn.Module):
    """BERT, from word vectors on."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.words = nn.Embedding(settings.vocabulary, settings.hidden, padding_idx=0)
        self.positions = nn.Embedding(512, settings.hidden)
        self.segments = nn.Embedding(2, settings.hidden)
        self.norm = nn.LayerNorm(settings.hidden, eps=1e-12)
        self.dropout = nn.Dropout(settings.dropout)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))

    def forward(self, vectors: Tensor, real: Tensor) -> Tensor:
        """States of all pieces, [B, P, H]."""
        places = self.positions.weight[: vectors.shape[1]] + self.segments.weight[0]
        x = self.dropout(self.norm(vectors + places))
        # Without padding there is nothing to hide, which is PyTorch's fastest way.
        mask = None if bool(real.all()) else real.bool()[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Player(nn.Module):
    """An encoder and a head of two logits; the predictor's reads the pooler's output."""

    def __init__(self, settings: Settings, *, pools: bool):
        super().__init__()
        self.encoder = Encoder(settings)
        self.pooler = nn.Linear(settings.hidden, settings.hidden) if pools else None
        dropout = nn.Dropout(settings.head_dropout)
        self.head = nn.Sequential(dropout, nn.Linear(settings.hidden, 2))


class Game(nn.Module):
    """Both players and one Adam state per parameter."""

    def __init__(self, settings: Settings):
        super().__init__()
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.extractor = Player(settings, pools=False)
        self.predictor = Player(settings, pools=True)
        self.optimiser = torch.optim.Adam(self.parameters(), lr=settings.learning_rate)

    def sample(self, batch: Batch) -> Tensor:
        """A hard mask of the words with straight-through gradient, [B, P]."""
        encoder = self.extractor.encoder
        logits = self.extractor.head(encoder(encoder.words(batch.ids), batch.real))
        return functional.gumbel_softmax(logits, tau=1.0, hard=True)[..., 1] * batch.words

    def pool(self, batch: Batch, mask: Tensor) -> Tensor:
        """Enc(Z): the pooler's output where the words that are not selected are zeros, [B, H]."""
        encoder = self.predictor.encoder
        shown = mask + (batch.real - batch.words)
        states = encoder(encoder.words(batch.ids) * shown.unsqueeze(-1), batch.real)
        return torch.tanh(self.predictor.pooler(states[:, 0]))

    def omega(self, mask: Tensor, batch: Batch) -> Tensor:
        """Sparsity and continuity of the selection."""
        settings = self.settings
        distance = (mask.sum() / batch.words.sum() - settings.sparsity).abs()
        jumps = (mask[:, 1:] - mask[:, :-1]).abs().mean()
        return settings.lambda_sparsity * distance + settings.lambda_continuity * jumps

    def descend(self, loss: Tensor) -> None:
        """One Adam step; a parameter without a gradient keeps its value and its moments."""
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def train(game: Game, batch: Batch) -> None:
    """One iteration of N2R: the predictor's update, then the extractor's.

    In the release's order the extractor steps on omega in the first one too.
    """
    release = game.settings.order == "release"
    with torch.set_grad_enabled(release):
        mask = game.sample(batch)
    scores = game.predictor.head(game.pool(batch, mask.detach()))
    loss = game.settings.lambda_ce * functional.cross_entropy(scores, batch.labels)
    game.descend(loss + game.omega(mask, batch) if release else loss)

    game.predictor.requires_grad_(False)
    mask = game.sample(batch)
    norms = game.pool(batch, mask).norm(dim=1)
    norm_loss = -game.settings.lambda_norm * torch.log(1e-6 + norms).mean()
    game.descend(norm_loss + game.omega(mask, batch))
    game.predictor.requires_grad_(True)


def as_batch(arrays: Arrays) -> Batch:
    """Random arrays with a special piece at both ends of each text."""
    ids, real, labels = map(torch.from_numpy, arrays)
    words = real.clone()
    words[:, 0] = 0
    words[torch.arange(len(ids)), real.sum(1).long() - 1] = 0
    return Batch(ids, real, words, labels)


class Bench:
    """Answers the driver's requests with one game, so that its state is kept between them."""

    def setup(self, threads: int = 2, **fields: str | int | float) -> dict[str, str]:
        """A new game; the versions it runs on."""
        torch.set_num_threads(threads)
        self.game = Game(Settings(**fields))
        python = platform.python_version()
        return {"python": python, "torch": torch.__version__, "numpy": np.__version__}

    def train(self, repeat: int = 1, clock: str = "wall") -> list[float]:
        """Seconds of whole iterations."""
        self.game.train()
        made = [as_batch(self.game.settings.arrays(seed)) for seed in range(repeat)]
        return timed(lambda batch: train(self.game, batch), made, clock)


if __name__ == "__main__":
    bench = Bench()
    serve(bench.setup, {"train": bench.train})
