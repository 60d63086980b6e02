"""N2R in plain PyTorch, as its paper's authors would run it: the other side of the benchmark.

A worker of `bench_worker`, run as a script by a Python of its own that has torch and numpy only.
Its setup takes any field of `Settings`, the number of threads and the device: on 'cuda' nn.GRU is
cuDNN's.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from bench_worker import (
    Arrays,
    Settings,
    peak_mb,
    random_arrays,
    random_splits,
    random_texts,
    seconds_of,
    serve,
    words_of,
)
from torch import Tensor, nn
from torch.nn import functional


class Batch(NamedTuple):
    """B inputs padded to length L."""

    ids: Tensor  # [B, L]
    real: Tensor  # [B, L], 1 at real tokens and 0 at pads
    labels: Tensor  # [B]


def as_batch(arrays: Arrays, device: torch.device) -> Batch:
    """The arrays as tensors of a device; on a CPU in the same memory."""
    return Batch(*(torch.from_numpy(array).to(device) for array in arrays))


class Player(nn.Module):
    """A bidirectional GRU and a head of two logits."""

    def __init__(self, settings: Settings, *, norm: bool):
        super().__init__()
        width = 2 * settings.units
        self.gru = nn.GRU(settings.embedding, settings.units, batch_first=True, bidirectional=True)
        layers = [nn.Dropout(settings.dropout), nn.Linear(width, 2)]
        self.head = nn.Sequential(*([nn.LayerNorm(width)] if norm else []), *layers)


class Game(nn.Module):
    """Both players, the frozen embedding they share, and one Adam state per parameter."""

    def __init__(self, settings: Settings):
        super().__init__()
        torch.manual_seed(settings.seed)
        vectors = torch.randn(settings.vocabulary, settings.embedding)
        vectors[0] = 0.0
        self.settings = settings
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=True)
        self.extractor = Player(settings, norm=True)
        self.predictor = Player(settings, norm=False)
        trained = [*self.extractor.parameters(), *self.predictor.parameters()]
        self.optimiser = torch.optim.Adam(trained, lr=settings.learning_rate)

    def embed(self, batch: Batch) -> Tensor:
        """Word vectors, zeros at pads."""
        return self.embedding(batch.ids) * batch.real.unsqueeze(-1)

    def logits(self, embedded: Tensor) -> Tensor:
        """The extractor's two logits per token, [B, L, 2]; class 1 means selected."""
        return self.extractor.head(self.extractor.gru(embedded)[0])

    def sample(self, embedded: Tensor) -> Tensor:
        """A hard mask with straight-through gradient, [B, L]."""
        return functional.gumbel_softmax(self.logits(embedded), tau=1.0, hard=True)[..., 1]

    def encode(self, embedded: Tensor, mask: Tensor, real: Tensor) -> Tensor:
        """Enc(Z): the maximum over time of the predictor's states, [B, 2 * units]."""
        states, _ = self.predictor.gru(embedded * mask.unsqueeze(-1))
        return states.masked_fill(real.unsqueeze(-1) == 0, -1e6).max(dim=1).values

    def cross_entropy(self, embedded: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """The predictor's weighted loss on the selected tokens."""
        scores = self.predictor.head(self.encode(embedded, mask, batch.real))
        return self.settings.lambda_ce * functional.cross_entropy(scores, batch.labels)

    def omega(self, mask: Tensor, real: Tensor) -> Tensor:
        """The release's regulariser: one sparsity for the batch, selected pads counted."""
        distance = (mask.sum() / real.sum() - self.settings.sparsity).abs()
        jumps = (mask[:, 1:] - mask[:, :-1]).abs().mean()
        return self.settings.lambda_sparsity * distance + self.settings.lambda_continuity * jumps

    def descend(self, loss: Tensor) -> None:
        """One Adam step; a parameter without a gradient keeps its value and its moments."""
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def train_jointly(game: Game, batch: Batch) -> None:
    """Both players on cross-entropy + omega, the mask's gradient going through the predictor."""
    embedded = game.embed(batch)
    mask = game.sample(embedded)
    game.descend(game.cross_entropy(embedded, mask, batch) + game.omega(mask, batch.real))


def train_apart(game: Game, batch: Batch) -> None:
    """The predictor on cross-entropy, the extractor on omega alone: the release's update 1."""
    embedded = game.embed(batch)
    mask = game.sample(embedded)
    game.descend(game.cross_entropy(embedded, mask.detach(), batch) + game.omega(mask, batch.real))


def train_predictor(game: Game, batch: Batch) -> None:
    """The predictor alone, on a mask that carries no graph: the paper's update 1."""
    embedded = game.embed(batch)
    with torch.no_grad():
        mask = game.sample(embedded)
    game.descend(game.cross_entropy(embedded, mask, batch))


def train_extractor(game: Game, batch: Batch) -> None:
    """The extractor alone, on the norm loss + omega, the predictor constant: update 2."""
    game.predictor.requires_grad_(False)
    embedded = game.embed(batch)
    mask = game.sample(embedded)
    norms = game.encode(embedded, mask, batch.real).norm(dim=1)
    norm_loss = -game.settings.lambda_norm * torch.log(1e-6 + norms).mean()
    game.descend(norm_loss + game.omega(mask, batch.real))
    game.predictor.requires_grad_(True)


Update = Callable[[Game, Batch], None]
ORDERS: dict[str, tuple[Update, ...]] = {
    "release": (train_apart, train_extractor),
    "paper": (train_predictor, train_extractor),
    "n2r_mmi": (train_jointly, train_extractor),
    "rnp": (train_jointly,),
}


def train(game: Game, batch: Batch) -> None:
    """One iteration: every update of the order, each with noise of its own."""
    for update in ORDERS[game.settings.order]:
        update(game, batch)


@torch.inference_mode()
def evaluate(game: Game, batch: Batch) -> tuple[Tensor, Tensor]:
    """The arg-max mask and the class predicted from it, in eval mode."""
    embedded = game.embed(batch)
    mask = game.logits(embedded).argmax(dim=-1).float()
    return mask, game.predictor.head(game.encode(embedded, mask, batch.real)).argmax(dim=-1)


def explain(
    game: Game, ids: Mapping[str, int], texts: Sequence[Sequence[str]], rows: int
) -> list[tuple[Tensor, Tensor]]:
    """`evaluate` of lists of words as they come, each batch padded to its longest."""
    found, device = [], game.embedding.weight.device
    for first in range(0, len(texts), rows):
        chosen = texts[first : first + rows]
        looked_up = [torch.tensor([ids.get(word, 0) for word in text]) for text in chosen]
        padded = nn.utils.rnn.pad_sequence(looked_up, batch_first=True)
        lengths = torch.tensor([len(text) for text in chosen])
        real = (torch.arange(padded.shape[1]) < lengths[:, None]).float()
        batch = Batch(padded, real, torch.zeros_like(lengths))
        masks, classes = evaluate(game, Batch(*(part.to(device) for part in batch)))
        found.append((masks.cpu(), classes.cpu()))
    return found


class Bench:
    """Answers the driver's requests with one game, so that its state is kept between them."""

    def setup(
        self, threads: int = 2, device: str = "cpu", **fields: str | int | float
    ) -> dict[str, str]:
        """A new game; what it runs on."""
        self.device = torch.device(device)
        self.game = Game(Settings(**fields)).to(self.device)
        torch.set_num_threads(threads)
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        return versions | {"numpy": np.__version__, "device": device}

    def batches(self, *, repeat: int = 1, **request: int | Sequence[int] | None) -> list[Batch]:
        """One batch for each repeat, of the game's sizes where the request names no other."""
        sizes = self.game.settings.sizes(**request)
        arrays = [random_arrays(**sizes, seed=seed) for seed in range(repeat)]
        return [as_batch(one, self.device) for one in arrays]

    def seconds(self, action: Callable[[Any], object], things: Sequence[Any]) -> list[float]:
        """Of each call, until the device has done all of it."""

        def whole(thing: Any) -> None:
            action(thing)
            if self.device.type == "cuda":
                torch.cuda.synchronize()

        return seconds_of(whole, things)

    def peak_mb(self) -> float:
        """The most memory that tensors ever took of a GPU, or the process on a CPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 1e6
        return peak_mb()

    def train(self, **request: int | Sequence[int] | None) -> list[float]:
        """Seconds of whole iterations."""
        self.game.train()
        return self.seconds(functools.partial(train, self.game), self.batches(**request))

    def evaluate(self, **request: int | Sequence[int] | None) -> list[float]:
        """Seconds of whole splits."""
        self.game.eval()
        drawn = random_splits(self.game.settings, **request)
        splits = [[as_batch(arrays, self.device) for arrays in split] for split in drawn]
        return self.seconds(lambda split: [evaluate(self.game, one) for one in split], splits)

    def explain(self, lengths: Sequence[int], batch: int = 256, repeat: int = 1) -> list[float]:
        """Seconds of whole collections of texts."""
        self.game.eval()
        vocabulary = self.game.settings.vocabulary
        ids = {word: id for id, word in enumerate(words_of(vocabulary), start=1)}
        texts = [random_texts(lengths, vocabulary, seed) for seed in range(repeat)]
        return self.seconds(lambda one: explain(self.game, ids, one, batch), texts)


if __name__ == "__main__":
    bench = Bench()
    tasks = {"train": bench.train, "evaluate": bench.evaluate, "explain": bench.explain}
    serve(bench.setup, tasks, bench.peak_mb)
