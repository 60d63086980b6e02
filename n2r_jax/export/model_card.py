"""The model card of an exported model: what it is, what it scores, what it is and is not for.

Markdown with the header that model hubs read. Nothing is claimed that the run's files do not say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

from n2r_jax.inference import TrainedRun

Rows = list[tuple[str, str]]


class Scores(NamedTuple):
    """What is known of a checkpoint."""

    dev: dict[str, float] | None
    """Its line of metrics.jsonl."""
    test: dict[str, Any] | None
    """The results.json of `n2r evaluate`."""


def model_card(trained: TrainedRun, scores: Scores) -> str:
    """The whole card."""
    parts = (
        _header(trained),
        _what_it_is(trained),
        _how_to_load(_is_of_graphs(trained)),
        _scores(scores),
        _intended_use(trained),
        _training(trained),
    )
    return "\n".join(parts)


def _header(trained: TrainedRun) -> str:
    encoder = getattr(trained.inputs, "encoder", {}).get("model_type", trained.config.model.name)
    tags = ("rationale-extraction", "interpretability", trained.config.method, encoder)
    task = "graph-ml" if _is_of_graphs(trained) else "text-classification"
    lines = ["library_name: n2r_jax", f"pipeline_tag: {task}", "tags:"]
    return "\n".join(["---", *lines, *(f"- {json.dumps(tag)}" for tag in tags), "---"])


def _what_it_is(trained: TrainedRun) -> str:
    labels = ", ".join(f"`{label}`" for label in trained.labels)
    (what, unit), count = _words(trained), len(trained.labels)
    return f"""
# A {what} classifier that shows its reasons ({trained.config.method})

It gives a {what} one of {count} labels ({labels}) and the {unit}s that are its reasons.
{_meaning(trained)}
"""


def _is_of_graphs(trained: TrainedRun) -> bool:
    return trained.inputs.reads == "graphs"


def _words(trained: TrainedRun) -> tuple[str, str]:
    """What a record is called, and a unit of it."""
    return ("graph", "node") if _is_of_graphs(trained) else ("text", "word")


def _meaning(trained: TrainedRun) -> str:
    what, unit = _words(trained)
    if trained.method.predicts_from_all:
        return (
            f"The label is predicted from the whole {what}; the {unit}s explain that prediction, "
            "which is something to be measured (comprehensiveness, sufficiency), not a guarantee."
        )
    return (
        f"The label is predicted from these {unit}s alone: no other {unit} of the {what} had a say "
        "in it."
    )


def _how_to_load(of_graphs: bool) -> str:
    given = '"The room was spotless but noisy."'
    shown = "[found.tokens[a:b] for a, b in found.spans]"
    served = "`n2r serve --run PATH` for a page and a JSON endpoint"
    other = f'`n2r explain --run PATH --text "..."`, or {served}'
    if of_graphs:
        given, shown = '{"nodes": ["C", "O"], "edges": [[0, 1]]}', "found.mask"
        other = "`n2r explain --run PATH --in graphs.jsonl --out explained.jsonl`"
    return f"""## How to use it

    import n2r_jax
    model = n2r_jax.load("PATH OF THIS FOLDER")
    for found in model.explain([{given}]):
        print(found.label, found.probabilities, {shown})

or {other}.
Nothing in this folder is a pickle; every file of the model is checked against its checksum.
"""


def _scores(scores: Scores) -> str:
    lines = ["## Scores", ""]
    if scores.test is not None:
        origin = scores.test["origin"]
        data = PurePath(origin["data"]["name"]).name  # whose folders are nobody's business
        on = f"On {data} ({origin['data']['texts']} texts), {origin['masks']} masks"
        lines += [f"{on}, in percent, with 95 % intervals:", ""]
        lines += _table(list(_test_rows(scores.test)))
    if scores.dev is not None:
        lines += ["On dev, where this checkpoint was chosen (so it looks better than it is):", ""]
        lines += _table([(name, _percent(value)) for name, value in _dev_rows(scores.dev)])
    if scores.test is None and scores.dev is None:
        lines += ["None are recorded with this model.", ""]
    return "\n".join(lines)


def _test_rows(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value with its 95 % interval; a rationale score beside that of chance."""
    for name in ("accuracy", "macro_f1"):
        yield name, _interval(results["task"][name])
    yield "selected words (sparsity)", _interval(results["selection"]["sparsity_micro"])
    if results.get("overlap"):
        rows = results["overlap"]["micro"]
        own, chance = rows["model"], rows["random"]
        for name in ("precision", "recall"):
            yield f"rationale {name}, corpus-micro", _percent(own[name])
        bounds = {"value": own["f1"], "low": own["f1_low"], "high": own["f1_high"]}
        yield "rationale F1, corpus-micro", _interval(bounds)
        yield "the same of a random mask of that size", _percent(chance["f1"])
    for name in ("comprehensiveness", "sufficiency") if results.get("faithfulness") else ():
        found = results["faithfulness"][name]["selected"]
        yield f"{name} of the selected words", _percent(found)


def _dev_rows(line: dict[str, float]) -> Iterator[tuple[str, float]]:
    for name in ("accuracy", "sparsity", "f1_micro"):
        if name in line:
            yield name, line[name]


def _table(rows: Rows) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]


def _interval(found: dict[str, float]) -> str:
    shown = _percent(found["value"])
    if found.get("low") is None:
        return shown
    return f"{shown} ({_percent(found['low'])} to {_percent(found['high'])})"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _intended_use(trained: TrainedRun) -> str:
    what, unit = _words(trained)
    units = "pieces" if trained.config.model.name == "transformer" else f"{unit}s"
    limit = f"{trained.config.data.max_length} {units}"
    refuses = trained.config.data.too_long == "error" or _is_of_graphs(trained)
    reads = (
        f"reads {what}s of up to {limit} and refuses longer ones"
        if refuses
        else (f"reads the first {limit} of a text; what lies behind is never a reason")
    )
    graphs, texts = "graphs from elsewhere", "other kinds of text or other languages"
    others = graphs if _is_of_graphs(trained) else texts
    return f"""## Intended use and limits

For {what}s like those it was trained on, where a person looks at label and reasons together. It has
not been tested for decisions about people, nor on {others}.

- The reasons tell what this model used, not what is true, nor why a person would decide so.
- A probability is the model's own and not calibrated.
- It {reads}.
- Scores of rationales are agreement with human marks on one set of {what}s.
"""


def _training(trained: TrainedRun) -> str:
    config, manifest = trained.config, trained.manifest
    data = config.data.name
    rows = [
        ("method", f"{config.method}, preset {manifest['preset']}"),
        ("target share of selected words", f"{config.objective.sparsity:g}"),
        ("seed", str(config.seed)),
        ("checkpoint", f"{trained.which}, step {trained.step}"),
        *((f"data: {data} {name}", _split(found)) for name, found in manifest["data"].items()),
        *manifest["versions"].items(),
    ]
    return "\n".join(["## Training", "", *_table(rows), "All settings are in `config.json`.", ""])


def _split(found: dict[str, Any]) -> str:
    return f"{found['texts']} texts, fingerprint `{found['fingerprint'][:16]}`"
