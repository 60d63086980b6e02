"""Evaluation inside training: sums over the dev split, mapped over the devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from n2r_jax.data.batch import Batch
from n2r_jax.methods.base import Method, Metrics, rationalize
from n2r_jax.models.interface import Params
from n2r_jax.objectives.rationale import task_sums
from n2r_jax.training import parallel
from n2r_jax.training.metrics import Totals

TASK = ("accuracy", "cross_entropy", "norm", "sparsity")
OVERLAP = ("precision_micro", "recall_micro", "f1_micro")
EvaluateFn = Callable[[tuple[Params, Array | None], Batch], Metrics]


def measured(*, annotated: bool) -> tuple[str, ...]:
    """Names of the metrics of a split. annotated: whether any of its texts has a gold rationale."""
    return TASK + OVERLAP if annotated else TASK


def make_evaluate_step(method: Method) -> EvaluateFn:
    """Accuracy, cross-entropy, sparsity, norm and corpus-micro overlap of one batch, as sums."""

    def body(params_and_key: tuple[Params, Array | None], batch: Batch) -> Metrics:
        params, key = params_and_key
        rationale = rationalize(method, params, batch, key)
        weight, valid = batch.weight, batch.valid
        sums = task_sums(rationale.logits, batch.label, weight)
        selected = (rationale.mask * weight[:, None]).sum()
        marked = (weight * batch.annotated)[:, None]
        gold = batch.rationale * marked
        norm = jnp.sqrt((rationale.representation**2).sum(-1) + 1e-12)
        total = parallel.all_sum(
            sums
            | {
                "norm": (norm * weight).sum(),
                "selected": selected,
                "units": (valid * weight[:, None]).sum(),
                "selected_of_marked": (rationale.mask * marked).sum(),
                "gold": gold.sum(),
                "both": (rationale.mask * gold).sum(),
            }
        )
        inputs = total["inputs"]
        return _judged(method, params, batch) | {
            "accuracy": (total["correct"], inputs),
            "cross_entropy": (total["cross_entropy"], inputs),
            "norm": (total["norm"], inputs),
            "sparsity": (total["selected"], total["units"]),
            "precision_micro": (total["both"], total["selected_of_marked"]),
            "recall_micro": (total["both"], total["gold"]),
            "f1_micro": (2 * total["both"], total["selected_of_marked"] + total["gold"]),
        }

    return parallel.data_parallel(body, donate=False)


def _judged(method: Method, params: Params, batch: Batch) -> Metrics:
    """The losses of the method's judge, which is an update, without noise."""
    if method.judge is None:
        return {}
    sums = method.judge.sums(params, method.model.encode(params, batch), batch, None)
    _, found = method.judge.loss(parallel.all_sum(sums))
    return {name: value for name, value in found.items() if name.startswith("loss/")}


def evaluate_batches(
    step: EvaluateFn, params: Params, key: Array | None, batches: Iterable[Batch]
) -> dict[str, float]:
    """Metrics of all batches; overlap is left out where nothing is annotated."""
    totals = Totals()
    for index, batch in enumerate(batches):
        own = None if key is None else jax.random.fold_in(key, index)
        totals.add(jax.device_get(step((params, own), parallel.shard(batch))))
    return totals.means()
