"""Record small runs of our own PyTorch formulation, in the layout that `replay_n2r` reads.

    TORCH_PYTHON tests/parity/record_torch.py DIRECTORY

Needs torch and numpy only. The files in tests/parity/recorded were made by it.
"""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "experiments"))
from torch_reference import ORDERS, Batch, Game, Settings, train

SIZES = {"batch": 4, "length": 7, "units": 3, "embedding": 5, "vocabulary": 20}
STEPS = 2
METHODS = {"rnp": "rnp", "n2r": "release", "n2r_mmi": "n2r_mmi"}


class RecordedGame(Game):
    """The reference with given noise, telling what it does."""

    def __init__(self, settings: Settings, gumbel: np.ndarray):
        super().__init__(settings)
        self.gumbel, self.arrays, self.losses = list(gumbel), {}, []
        self.used = 0

    def sample(self, embedded: Tensor) -> Tensor:
        """The straight-through mask with the next recorded noise."""
        noise = torch.from_numpy(self.gumbel[self.used])
        self.used += 1
        soft = (self.logits(embedded) + noise).softmax(-1)
        hard = torch.zeros_like(soft).scatter(-1, soft.argmax(-1, keepdim=True), 1.0)
        return (hard + (soft - soft.detach()))[..., 1]

    def cross_entropy(self, embedded: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """The predictor's loss, remembered without its weight."""
        loss = super().cross_entropy(embedded, mask, batch)
        self.now = {"cross_entropy": loss.item() / self.settings.lambda_ce}
        return loss

    def omega(self, mask: Tensor, real: Tensor) -> Tensor:
        """The regulariser, its parts remembered."""
        s = self.settings
        self.parts = {
            "sparsity": (mask.sum() / real.sum() - s.sparsity).abs().item(),
            "continuity": (mask[:, 1:] - mask[:, :-1]).abs().mean().item(),
        }
        return super().omega(mask, real)

    def descend(self, loss: Tensor) -> None:
        """One step, with its gradients (first batch) and the parameters it leaves."""
        updates = len(ORDERS[self.settings.order])
        step, index = divmod(self.used - 1, updates)
        if index == 1:
            s = self.settings
            omega = s.lambda_sparsity * self.parts["sparsity"]
            omega += s.lambda_continuity * self.parts["continuity"]
            self.now = {"norm_loss": loss.item() - omega}
        super().descend(loss)
        self.losses.append(self.now | self.parts)
        if step == 0:
            self.keep(f"step0/update{index}/grad/", gradients=True)
        self.keep(f"params/{step + (index + 1) / updates:g}/")

    def keep(self, prefix: str, gradients: bool = False) -> None:
        """Copy all parameters, or their gradients where there are any, under their old names."""
        for name, parameter in self.named_parameters():
            value = parameter.grad if gradients else parameter
            if not name.startswith("embedding") and value is not None:
                self.arrays[prefix + layout_name(name)] = value.detach().numpy().copy()


def layout_name(name: str) -> str:
    """extractor.gru.weight_ih_l0 -> gen.weight_ih_l0 and so on."""
    player, part, rest = name.split(".", 2)
    short = {"extractor": "gen", "predictor": "cls"}[player]
    if part == "gru":
        return f"{short}.{rest}"
    place, member = rest.split(".")
    if player == "extractor" and place == "0":
        return f"layernorm1.{member}"
    return f"{short}_fc.{member}"


def record(method: str, padded: bool, path: pathlib.Path) -> None:
    """Run a method for a few batches and write its file."""
    rng = np.random.default_rng(7)
    settings = Settings(
        order=METHODS[method], learning_rate=0.01, dropout=0.0, sparsity=0.3, threads=1, **SIZES
    )
    rows, length = settings.batch, settings.length
    updates = len(ORDERS[settings.order])
    gumbel = rng.gumbel(size=(STEPS * updates, rows, length, 2)).astype(np.float32)
    ends = rng.integers(3, length + 1, (STEPS, rows)) if padded else np.full((STEPS, rows), length)
    ends[:, 0] = length
    masks = (np.arange(length) < ends[:, :, None]).astype(np.int32)
    ids = (rng.integers(1, settings.vocabulary, masks.shape) * masks).astype(np.int32)
    labels = rng.integers(0, 2, (STEPS, rows)).astype(np.int32)
    game = RecordedGame(settings, gumbel)
    game.keep("params/0/")
    for step in range(STEPS):
        real = torch.from_numpy(masks[step]).float()
        batch = Batch(
            torch.from_numpy(ids[step]).long(), real, torch.from_numpy(labels[step]).long()
        )
        train(game, batch)
    losses = [
        {f"update{i}": game.losses[step * updates + i] for i in range(updates)}
        for step in range(STEPS)
    ]
    meta = {
        "method": method,
        "hidden_dim": 2 * settings.units,
        "classes": 2,
        "steps": STEPS,
        "losses": losses,
    }
    names = ("learning_rate", "dropout", "sparsity", "lambda_sparsity", "lambda_continuity")
    meta |= {name: getattr(settings, name) for name in (*names, "lambda_ce", "lambda_norm")}
    arrays = {"ids": ids, "masks": masks, "labels": labels, "gumbel": gumbel}
    arrays["embedding"] = game.embedding.weight.numpy()
    np.savez_compressed(path, meta=json.dumps(meta), **arrays, **game.arrays)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in METHODS:
        for padded in (False, True):
            kind = "padded" if padded else "full"
            record(name, padded, folder / f"{name}_{kind}.npz")
