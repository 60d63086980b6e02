"""Replay recorded runs of the N2R authors' modules, update by update.

    python -m tests.parity.replay_n2r FILE.npz...

A file holds the weights, the word ids, the Gumbel noise and, after every update, the losses, the
gradients (first batch) and the parameters. All sizes come from the file. Prints the largest
absolute difference of each kind after each update; exits 0 only if all are at most 1e-5.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from n2r_jax.data.batch import Batch
from n2r_jax.methods import METHODS, Settings
from n2r_jax.methods.base import Method
from n2r_jax.models.gru_text import GRUText
from n2r_jax.objectives.rationale import Objective
from n2r_jax.training.state import TrainState, create_state
from n2r_jax.training.step import apply_gradients, encode, update_gradients

TOLERANCE = 1e-5
GRU_NAMES = {"extractor": "gen", "predictor": "cls"}
GRU_MEMBERS = {
    "input": "weight_ih_l0",
    "hidden": "weight_hh_l0",
    "input_bias": "bias_ih_l0",
    "hidden_bias": "bias_hh_l0",
}


def read_params(file: Mapping[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """PyTorch's tensors under a prefix as our parameter groups; absent groups are left out."""

    def gru(name: str) -> dict[str, np.ndarray]:
        both = {
            ours: np.stack([file[f"{prefix}{name}.{theirs}{d}"] for d in ("", "_reverse")])
            for ours, theirs in GRU_MEMBERS.items()
        }
        return {k: v.reshape(2, 3, v.shape[1] // 3, *v.shape[2:]) for k, v in both.items()}

    def linear(name: str) -> dict[str, np.ndarray]:
        return {"kernel": file[f"{prefix}{name}.weight"], "bias": file[f"{prefix}{name}.bias"]}

    groups: dict[str, Any] = {}
    for group, name in GRU_NAMES.items():
        if f"{prefix}{name}.weight_ih_l0" in file:
            groups[group] = {"gru": gru(name), "head": linear(f"{name}_fc")}
    if "extractor" in groups:
        groups["extractor"]["scale"] = file[f"{prefix}layernorm1.weight"]
        groups["extractor"]["offset"] = file[f"{prefix}layernorm1.bias"]
    return groups


def largest_difference(ours: Any, theirs: Any) -> float:
    """Largest absolute difference over two trees of the same members."""
    if isinstance(theirs, Mapping):
        return max(largest_difference(ours[name], theirs[name]) for name in theirs)
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())


class Replay:
    """One recorded file, replayed by the project's own method, step and optimiser."""

    def __init__(self, path: str):
        with np.load(path, allow_pickle=False) as file:
            self.file = {name: file[name] for name in file.files}
        self.meta = json.loads(str(self.file["meta"]))
        rate = self.meta["learning_rate"]
        self.optimizers = {g: optax.adam(rate) for g in GRU_NAMES}
        self.perform = jax.jit(self._perform, static_argnums=0)

    def method(self, noise: Array) -> Method:
        """The recorded method, with the recorded noise of one update in place of drawn noise."""
        meta = self.meta
        objective = Objective(
            sparsity=meta["sparsity"],
            lambda_sparsity=meta["lambda_sparsity"],
            lambda_continuity=meta["lambda_continuity"],
            lambda_cross_entropy=meta["lambda_ce"],
            lambda_norm=meta["lambda_norm"],
            sparsity_per="batch",
            continuity="mean",
            max_length=self.file["ids"].shape[2],
        )
        model = GRUText(
            jnp.asarray(self.file["embedding"]),
            units=meta["hidden_dim"] // 2,
            classes=meta["classes"],
            dropout_rate=meta["dropout"],
            padding="release",
        ).model()
        recorded = jnp.asarray(noise[..., 1] - noise[..., 0])
        settings = Settings(objective, omega_in_update_1=True, noise=lambda *_: recorded)
        return METHODS[meta["method"]](model, settings)

    def batch(self, step: int) -> Batch:
        """One recorded batch."""
        ids, labels = self.file["ids"][step], self.file["labels"][step]
        rows = len(ids)
        length = self.file["masks"][step].sum(1).astype(np.int32)
        ones, zeros = np.ones(rows, np.float32), np.zeros(rows, np.float32)
        arrays = (ids, length, labels, ones, np.arange(rows), np.zeros_like(ids), zeros)
        return Batch(*(jnp.asarray(a) for a in arrays))

    def initial_state(self) -> TrainState:
        """The recorded parameters before the first update, fresh optimisers."""
        method = self.method(self.file["gumbel"][0])
        state = create_state(method, self.optimizers, 0, self.batch(0))
        params = state.params | read_params(self.file, "params/0/")
        return state._replace(params=params)

    def run(self) -> list[tuple[str, dict[str, float]]]:
        """(place, {'loss': ..., 'gradient': ..., 'parameter': ...}) after every update."""
        state, found = self.initial_state(), []
        updates = len(self.method(self.file["gumbel"][0]).updates)
        for step in range(self.meta["steps"]):
            for index in range(updates):
                noise = self.file["gumbel"][step * updates + index]
                state, gradients, sums = self.perform(index, noise, state, self.batch(step))
                after = f"{step + (index + 1) / updates:g}"
                differences = self.compare(step, index, after, state, gradients, sums)
                found.append((f"batch {step}, update {index}", differences))
        return found

    def _perform(self, index: int, noise: Array, state: TrainState, batch: Batch) -> tuple:
        """One update: (state after it, its gradients, the sums that its loss is of)."""
        method = self.method(noise)
        update, encoded = method.updates[index], encode(method, state.params, batch)
        gradients, _ = update_gradients(
            method, update, state.params, encoded, batch, state.key, lambda sums: sums
        )
        sums = update.sums(state.params, encoded.features, batch, state.key)
        return apply_gradients(self.optimizers, update, state, gradients), gradients, sums

    def compare(
        self, step: int, index: int, after: str, state: TrainState, gradients: Any, sums: Any
    ) -> dict[str, float]:
        """Largest differences from all that was recorded of an update."""
        recorded = read_params(self.file, f"params/{after}/")
        differences = {
            "loss": largest_difference(self.losses(sums), self.recorded_losses(step, index)),
            "parameter": largest_difference(state.params, {g: recorded[g] for g in GRU_NAMES}),
        }
        theirs = read_params(self.file, f"step{step}/update{index}/grad/")
        if theirs:
            absent = set(gradients) - set(theirs)
            if absent:
                raise ValueError(f"no recorded gradient of {sorted(absent)}")
            differences["gradient"] = largest_difference(gradients, theirs)
        return differences

    def losses(self, sums: dict[str, Any]) -> dict[str, float]:
        """The recorded losses' counterparts from our sums."""
        rows, length = self.file["ids"].shape[1:]
        losses = {
            "sparsity": abs(sums["selected"] / sums["units"] - self.meta["sparsity"]),
            "continuity": sums["transitions"] / (rows * (length - 1)),
        }
        if "cross_entropy" in sums:
            losses["cross_entropy"] = sums["cross_entropy"] / sums["inputs"]
        if "log_norm" in sums:
            losses["norm_loss"] = -self.meta["lambda_norm"] * sums["log_norm"] / sums["inputs"]
        return {name: float(value) for name, value in losses.items()}

    def recorded_losses(self, step: int, index: int) -> dict[str, float]:
        """The losses that the authors' run printed."""
        return self.meta["losses"][step][f"update{index}"]


def main(paths: list[str]) -> int:
    """Replay every file; 0 only if every difference is within the tolerance."""
    if not paths:
        print(__doc__)
        return 2
    worst = 0.0
    for path in paths:
        print(path)
        for place, differences in Replay(path).run():
            shown = "  ".join(f"{kind} {value:.1e}" for kind, value in differences.items())
            print(f"  {place}: {shown}")
            worst = max(worst, *differences.values())
    verdict = "within" if worst <= TOLERANCE else "ABOVE"
    print(f"largest difference {worst:.1e}, {verdict} {TOLERANCE:.0e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
