"""Table 4: more steps of integrated gradients against their time, on the runs of AA (IG)."""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.unirex.main_table import Run, head
from experiments.unirex.variants import STEPS

if TYPE_CHECKING:
    from n2r_jax.data.encoding import EncodedTexts
    from n2r_jax.inference import TrainedRun

COLUMNS = {
    "csd": "CSD",
    "comprehensiveness": "comp",
    "sufficiency": "suff",
    "auprc": "AUPRC, %",
    "delta": "|convergence delta|",
    "seconds": "s a text",
}


def render(arguments: argparse.Namespace, runs: Sequence[Run]) -> list[str]:
    """The table; a step count that a run was scored with is not scored again."""
    from n2r_jax import runtime

    runtime.configure()
    runtime.enable_compilation_cache()
    lines = head(arguments, "steps of integrated gradients")
    lines += ["Seconds: of scoring alone, in batches, compiled before.", ""]
    lines.append("| steps | " + " | ".join(COLUMNS.values()) + " |")
    lines.append("|---" * (1 + len(COLUMNS)) + "|")
    for steps in arguments.steps or STEPS:
        found = [_kept(run.workdir / "steps" / f"{steps}.json", run, steps) for run in runs]
        cells = [_cell([own[name] for own in found]) for name in COLUMNS]
        lines.append(f"| {steps} | " + " | ".join(cells) + " |")
    return lines


def _kept(path: pathlib.Path, run: Run, steps: int) -> Mapping[str, float]:
    if not path.exists():
        found = score(run.workdir, steps)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
    return json.loads(path.read_text())


def score(directory: pathlib.Path, steps: int) -> dict[str, float]:
    """Faithfulness, plausibility, completeness and time of one run's test split."""
    from n2r_jax.evaluate import evaluate, run_on
    from n2r_jax.inference import TrainedRun

    changes = {"unirex.steps": steps}
    report, _ = evaluate(directory, faithfulness=True, changes=changes)
    if report.faithfulness is None or report.overlap is None:
        raise SystemExit(f"{directory}: its test split has no gold rationales to score")
    found = run_on(TrainedRun(directory, changes=changes))
    start = time.perf_counter()
    found.trained.rationalize(found.texts)
    seconds = (time.perf_counter() - start) / len(found.texts)
    faithful = {name: report.faithfulness[name]["aopc_k_plus_1"] for name in list(COLUMNS)[:3]}
    auprc = 100 * report.overlap["auprc_instance_mean"]["value"]
    delta = mean_delta(found.trained, found.texts, steps)
    return {**faithful, "auprc": auprc, "delta": delta, "seconds": seconds}


def mean_delta(trained: TrainedRun, texts: EncodedTexts, steps: int) -> float:
    """Mean |sum of attributions - (F(x) - F(baseline))| of texts, F the predicted class's logit."""
    import jax
    import jax.numpy as jnp

    from n2r_jax import assemble
    from n2r_jax.attribution import convergence_delta, integrated_gradients
    from n2r_jax.attribution.of_model import class_logit, from_vectors
    from n2r_jax.data.batching import Batches

    model = trained.method.model
    source = from_vectors(model)

    @jax.jit
    def deltas(params: Any, batch: Any) -> Any:
        chosen = model.predict(params, batch, batch.valid, None).logits.argmax(-1)
        target = class_logit(model, params, batch, batch.valid, chosen)
        x, baseline = source.vectors(params, batch), source.baseline(params, batch)
        values = integrated_gradients(target, x, baseline, steps=steps)
        return jnp.abs(convergence_delta(target, values, x, baseline))

    size, bounds = trained.config.evaluation.batch_size, assemble.length_buckets(trained.config)
    batches = Batches(texts, np.arange(len(texts)), bounds, size, seed=None)
    total = sum(
        float(deltas(trained.params, texts.batch(members, size, length))[: len(members)].sum())
        for length, members in batches.plan(0)
    )
    return total / len(texts)


def _cell(values: Sequence[float]) -> str:
    digits = ".2g" if max(np.abs(values)) < 0.01 else ".3f"
    spread = f" ({np.std(values, ddof=1):{digits}})" if len(values) > 1 else ""
    return f"{np.mean(values):{digits}}{spread}"
