"""Replay UNIREX's recorded masks, losses and metrics.

    python -m tests.parity.replay_unirex FILE.npz...

A file holds a batch's scores, rationales and logits (`in/...`), the masks that its release makes of
the scores, and every loss and metric that follows (`loss/...`, `metric/...`). All sizes come from
the file. Prints the largest difference by quantity, as a share of the recorded value where that is
above 1; exits 0 only if every recorded quantity is known here and within 1e-6.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from n2r_jax import masks
from n2r_jax.metrics import faithfulness as faithfulness_metrics
from n2r_jax.metrics.plausibility import annotated_mean, token_f1
from n2r_jax.metrics.ranking import instance_area
from n2r_jax.objectives import attribution_classes, divergences, faithfulness, plausibility
from n2r_jax.objectives.rationale import task_sums

TOLERANCE = 1e-6
SUFFICIENCY_NAMES = {"diff": "diff", "margin": "margin", "mae": "mae", "mse": "mse", "kl": "kldiv"}
SETTINGS = ("in/topk", "in/comp_margin", "in/suff_margin")
LOGITS = ("in/full_logits", "in/comp_logits", "in/suff_logits", "in/l2e_logits")
MARKS = ("in/attention_mask", "in/scores", "in/rationale", "in/has_rationale")
INPUTS = (*LOGITS, *MARKS, "in/label", "in/l2e_target")
File = Mapping[str, Any]


def replayed(file: File) -> dict[str, Any]:
    """Every quantity of the layout, by its recorded name, from the inputs of a file."""
    settings = {name: file[name] for name in SETTINGS}
    arrays = {name: file[name] for name in INPUTS}

    @jax.jit
    def of_arrays(arrays: dict[str, Any]) -> dict[str, Any]:
        given = settings | arrays
        return _masks(given) | _faithfulness_losses(given) | _other_losses(given)

    return of_arrays(arrays) | _metrics(file)


def _masks(file: File) -> dict[str, Any]:
    scores, valid = jnp.asarray(file["in/scores"]), _float(file["in/attention_mask"])
    start = jnp.zeros_like(valid).at[:, 0].set(1)
    keep = masks.top_k_percent(scores, valid, tuple(file["in/topk"]), always=start)
    complement = masks.complements(keep, valid, start)
    return {"in/keep_mask": keep, "in/complement_mask": complement}


def _faithfulness_losses(file: File) -> dict[str, Any]:
    full, without, alone = (_float(file[f"in/{n}_logits"]) for n in ("full", "comp", "suff"))
    label, weight = jnp.asarray(file["in/label"]), jnp.ones(len(full))
    margins = float(file["in/comp_margin"]), float(file["in/suff_margin"])

    found: dict[str, Any] = {}
    for name in ("diff", "margin"):
        objective = faithfulness.FaithfulnessObjective(name, "diff", *margins, kl_per_class=True)
        sums = faithfulness.comprehensiveness_sums(objective, full, without, label, weight)
        found[f"loss/comp_{name}"] = sums["comprehensiveness"] / sums["inputs"]
    for name, theirs in SUFFICIENCY_NAMES.items():
        objective = faithfulness.FaithfulnessObjective("diff", name, *margins, kl_per_class=True)
        sums = faithfulness.sufficiency_sums(objective, full, alone, label, weight)
        found[f"loss/suff_{theirs}"] = sums["sufficiency"] / sums["inputs"]
    return found


def _other_losses(file: File) -> dict[str, Any]:
    # The recorded divergence is that of the first k's complement: any second logits would do.
    full, other = _float(file["in/full_logits"]), _float(file["in/comp_logits"])[:1]
    label, weight = jnp.asarray(file["in/label"]), jnp.ones(len(full))
    valid, scores = _float(file["in/attention_mask"]), _float(file["in/scores"])
    gold, annotated = _float(file["in/rationale"]), _float(file["in/has_rationale"])

    task = task_sums(full, label, weight)
    marks = plausibility.PlausibilityObjective("bce", 0.1)
    marked = plausibility.plausibility_sums(marks, scores, gold, valid, annotated, weight)
    agreement = divergences.agreement_sums(other, full, weight, "reverse_jsd")
    teacher = attribution_classes.attribution_class_sums(
        _float(file["in/l2e_logits"]), jnp.asarray(file["in/l2e_target"]), valid, weight
    )
    return {
        "loss/task": task["cross_entropy"] / task["inputs"],
        "loss/plaus_bce": plausibility.plausibility_loss(marks, marked),
        "loss/a2r_reverse_jsd": divergences.agreement_loss(agreement),
        "loss/l2e_ce": attribution_classes.attribution_class_loss(teacher),
    }


def _metrics(file: File) -> dict[str, Any]:
    full, without, alone = (file[f"in/{n}_logits"] for n in ("full", "comp", "suff"))
    comp = faithfulness_metrics.probability_drop(full, without).mean(1)
    suff = faithfulness_metrics.probability_drop(full, alone).mean(1)
    of_gold = faithfulness_metrics.probability_drop(full, without[:1], file["in/label"])
    marks = (file["in/scores"], file["in/rationale"], file["in/attention_mask"])
    annotated = file["in/has_rationale"]
    return {
        "metric/comp_per_k": comp,
        "metric/suff_per_k": suff,
        "metric/comp_aopc_k_plus_1": faithfulness_metrics.aopc(comp, "k_plus_1"),
        "metric/suff_aopc_k_plus_1": faithfulness_metrics.aopc(suff, "k_plus_1"),
        "metric/comp_gold_class_k0": of_gold.mean(),
        "metric/log_odds_k0": faithfulness_metrics.log_odds(full, without[:1]).mean(),
        "metric/auprc_mean": annotated_mean(instance_area(*marks, "auprc"), annotated),
        "metric/token_f1_macro_mean": annotated_mean(token_f1(*marks, "macro"), annotated),
    }


def differences(path: str) -> dict[str, float]:
    """Largest difference by quantity; infinite for a recorded one that has no replay."""
    with np.load(path, allow_pickle=False) as archive:
        file = {name: archive[name] for name in archive.files}
    absent = [name for name in (*SETTINGS, *INPUTS) if name not in file]
    if absent:
        raise SystemExit(f"{path}: there is no {', '.join(absent)}; record the whole layout")
    ours = replayed(file)
    recorded = [n for n in file if n.startswith(("loss/", "metric/")) or n in ours]
    return {name: _difference(ours.get(name), file[name]) for name in recorded}


def _difference(ours: Any, theirs: np.ndarray) -> float:
    if ours is None or np.shape(ours) != theirs.shape:
        return float("inf")
    theirs = theirs.astype(np.float64)
    # A float32 recording of 10 is not even known to 1e-6.
    difference = np.abs(np.asarray(ours, np.float64) - theirs) / np.maximum(1, np.abs(theirs))
    return float(np.nan_to_num(difference.max(), nan=np.inf))


def _float(values: Any) -> Any:
    return jnp.asarray(values, jnp.float32)


def main(paths: list[str]) -> int:
    """Replay every file; 0 only if every difference is within the tolerance."""
    if not paths:
        print(__doc__)
        return 2
    worst = 0.0
    for path in paths:
        print(path)
        found = differences(path)
        for name, value in found.items():
            print(f"  {name}: {value:.1e}{'' if value <= TOLERANCE else '  ABOVE'}")
        worst = max(worst, *found.values(), 0.0) if found else float("inf")
    verdict = "within" if worst <= TOLERANCE else "ABOVE"
    print(f"largest difference {worst:.1e}, {verdict} {TOLERANCE:.0e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
