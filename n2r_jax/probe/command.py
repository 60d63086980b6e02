"""`n2r probe`: all probes of a run on a whole set, as lines, numbers and pictures."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from n2r_jax.charts import Panel, as_png, draw
from n2r_jax.evaluate import Evaluation, run_on
from n2r_jax.export.target import new_folder
from n2r_jax.faithful import masked_run
from n2r_jax.inference import TrainedRun, Which
from n2r_jax.probe import gold_share, norm
from n2r_jax.probe.exclusion import exclusion
from n2r_jax.probe.mask_shape import mask_only
from n2r_jax.probe.padding import padding_invariance

Found = Mapping[str, Any]
DEFINITIONS = {
    "exclusion": "unselected tokens are replaced by others of the set (of graphs: types, features "
    "and edges of unselected nodes), `draws` times, behind the same masks; changes are of "
    "probabilities, and the control replaces the selected tokens",
    "padding": "texts padded to about their size, against all padded to the maximum length",
    "mask_only": "logistic regression on the length, and on the mask's counts and places "
    "(of graphs: counts), out-of-fold; information: entropy of the label - cross-entropy, bits, at "
    "least 0",
    "norm": "||Enc(Z)|| behind the run's own masks, a number a text; `random`: mean over texts "
    "behind random masks of a share of the tokens",
    "gold_share": "the gold rationale alone, a share 1 - p of its tokens exchanged for random "
    "other ones of the text (N2R, figures 3 and 7); cross-entropy in nats",
}


def probe_command(
    directory: str, *, data: str | None = None, which: Which = "best", out: str | None = None
) -> int:
    """Probe, print what was found and write it; returns 1 where something claimed does not hold."""
    from rich.console import Console

    evaluation = run_on(TrainedRun(directory, which), data)
    found = probe(evaluation)
    console = Console(highlight=False)
    origin = found["origin"]
    print(f"{origin['method']}, {origin['checkpoint']}, on {origin['data']['name']}")
    for name, finding in findings(found).items():
        console.print(f"{name}: {finding}", markup=False)
    folder = pathlib.Path(out) if out else pathlib.Path(directory) / "probe"
    pictures = {name: draw(panels) for name, panels in _pictures(found).items()}
    with new_folder(folder) as files:
        text = json.dumps(found, indent=2, allow_nan=False) + "\n"
        (files / "probe.json").write_text(text, encoding="utf-8")
        for name, figure in pictures.items():
            (files / name).write_bytes(as_png(figure))
    print(f"{', '.join(['probe.json', *pictures])} written to {folder}")
    return 0 if all(found[name]["holds"] is not False for name in ("exclusion", "padding")) else 1


def probe(evaluation: Evaluation) -> dict[str, Any]:
    """Return what all probes find, for json.dump."""
    predict = masked_run(evaluation.trained)
    return {
        "origin": evaluation.origin(),
        "definitions": DEFINITIONS,
        "exclusion": exclusion(evaluation, predict),
        "padding": padding_invariance(evaluation.trained, evaluation.texts),
        "mask_only": mask_only(evaluation),
        "norm": norm.norm_by_count(evaluation, predict),
        "gold_share": gold_share.gold_share(evaluation, predict),
    }


def _pictures(found: Found) -> dict[str, list[Panel]]:
    pictures = {"norm_by_count.png": norm.panels(found["norm"])}
    if found["gold_share"] is not None:
        pictures["gold_share.png"] = gold_share.panels(found["gold_share"])
    return pictures


def findings(found: Found) -> dict[str, str]:
    """Return what was found, a line a probe."""
    return {
        "exclusion": _exclusion(found["exclusion"], found["origin"]["method"]),
        "padding": _padding(found["padding"]),
        "true label, read from the mask alone": _mask_only(found["mask_only"]["label"]),
        "predicted label, likewise": _mask_only(found["mask_only"]["prediction"]),
        "norm by selected tokens": _norm(found["norm"]),
        "share of gold tokens": _gold_share(found["gold_share"]),
    }


def _exclusion(found: Found, method: str) -> str:
    moved = f"{found['changed_labels']} of {found['texts']} labels"
    if not found["applies"]:
        return (
            f"not promised: {method} predicts from the whole text; other tokens in place of the "
            f"unselected ones changed {moved}"
        )
    control = f"with other selected ones {found['control']['changed_texts']} predictions moved"
    if found["holds"] is None:
        return f"nothing to see: {found['selected']} tokens are selected in all, and {control}"
    if found["holds"]:
        return f"holds: other unselected tokens moved no prediction of {found['texts']}; {control}"
    return (
        f"BROKEN: other unselected tokens moved {found['changed_texts']} predictions, by up to "
        f"{found['largest_change']:.2g}, and changed {moved}; {control}"
    )


def _padding(found: Found) -> str:
    if found["holds"] is None:
        return "nothing to see: all texts are about as long as the maximum length"
    verdict = "holds" if found["holds"] else "BROKEN"
    return (
        f"{verdict}: {found['padded_otherwise']} of {found['texts']} texts padded further moved by "
        f"up to {max(found['largest_change'], found['largest_change_of_scores']):.2g}; "
        f"{found['changed_masks']} masks changed"
    )


def _mask_only(found: Found) -> str:
    if "missing" in found:
        return f"nothing to read: {found['missing']}"
    mask, length = found["mask"], found["length"]
    return (
        f"{100 * mask['accuracy']:.1f} % [{100 * mask['low']:.1f}, {100 * mask['high']:.1f}], "
        f"{mask['information']:.2f} of {found['entropy']:.2f} bits; from the length alone "
        f"{100 * length['accuracy']:.1f} %, always the same label {100 * found['majority']:.1f} %"
    )


def _norm(found: Found) -> str:
    random = found["random"]
    ends = f"{random['norm'][0]:.2f} with none to {random['norm'][-1]:.2f} with all tokens"
    if found["spearman"] is None:
        return f"no correlation is defined; random masks: {ends}"
    return f"Spearman {found['spearman']:+.2f} over texts; random masks: {ends}"


def _gold_share(found: Found | None) -> str:
    if found is None:
        return "no text has a gold token"
    middle = len(found["share"]) // 2
    parts = [
        f"{name.replace('_', '-')} {values[0]:.2f}, {values[middle]:.2f}, {values[-1]:.2f}"
        for name, values in found.items()
        if name in ("accuracy", "cross_entropy", "norm")
    ]
    return f"at 0, 50 and 100 % gold: {'; '.join(parts)}"
