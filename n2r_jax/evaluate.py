"""Evaluate a run from its checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32
from ml_collections import ConfigDict

from n2r_jax import assemble
from n2r_jax.compat import Removal
from n2r_jax.data.cache import Cache
from n2r_jax.data.cached_inputs import cached_texts, open_cache, open_source
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.eraser import is_eraser
from n2r_jax.data.records import Source
from n2r_jax.errors import DataError
from n2r_jax.inference import Outputs, TrainedRun, Which
from n2r_jax.metrics.faithfulness_report import faithfulness_report
from n2r_jax.metrics.report import RationaleReport, rationale_report
from n2r_jax.metrics.report_tables import render


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a run makes of a data set: its outputs beside the texts and their gold."""

    trained: TrainedRun
    data: str
    """Name of the data, as it was asked for."""
    source: Source
    texts: EncodedTexts
    outputs: Outputs
    sample_seed: int | None = None

    @property
    def valid(self) -> Bool[np.ndarray, "n t"]:
        """Where the outputs are of a token and not of padding."""
        return np.arange(self.outputs.mask.shape[1])[None] < self.texts.lengths[:, None]

    @property
    def gold(self) -> Int32[np.ndarray, "n t"]:
        """Gold of the tokens that were read, 0 where there is none."""
        texts, length = self.texts, self.outputs.mask.shape[1]
        return np.asarray(texts.batch(range(len(texts)), len(texts), length).rationale)

    def report(self) -> RationaleReport:
        """Every score; gold beyond the maximum length is invisible, as in the papers."""
        trained, texts, outputs = self.trained, self.texts, self.outputs
        return rationale_report(
            mask=outputs.mask,
            valid=self.valid,
            gold=self.gold,
            has_gold=texts.annotated,
            scores=outputs.scores,
            labels=texts.labels,
            predicted=outputs.probabilities.argmax(-1),
            probabilities=outputs.probabilities,
            classes=len(trained.labels),
            resamples=trained.config.evaluation.bootstrap,
            choices=texts.choices,
        )

    def faithfulness(self, removal: Removal | None = None) -> dict[str, Any]:
        """Comprehensiveness and sufficiency of the top k % by score, and of the run's masks.

        removal: whether tokens are taken out for that or hidden; default: as the config says.
        """
        from n2r_jax.faithful import masked_predictor

        trained, compat = self.trained, assemble.make_compat(self.trained.config)
        removal = removal or compat.faith_eval_input
        section = faithfulness_report(
            partial(masked_predictor(trained, compact=removal == "compact"), self.texts),
            self.outputs.scores,
            self.outputs.mask,
            self.valid,
            trained.config.unirex.k,
            faithful_to=trained.method.faithful_to,
            denominator=compat.aopc_denominator,
        )
        return section | {"removal": removal}

    def origin(self) -> dict[str, Any]:
        """Where the scores are from."""
        trained, seed = self.trained, self.sample_seed
        return {
            "run": str(trained.run.path),
            "method": trained.config.method,
            "preset": trained.manifest["preset"],
            "seed": trained.config.seed,
            "checkpoint": f"{trained.which} (step {trained.step})",
            "masks": "arg-max" if seed is None else f"sampled, seed {seed}",
            "data": {
                "name": self.data,
                "texts": len(self.source),
                "truncated": self.texts.truncated,
                "fingerprint": self.source.fingerprint,
            },
            "norm": float(self.outputs.norm.mean()),
        }


def run_on(
    trained: TrainedRun, data: str | None = None, *, sample_seed: int | None = None
) -> Evaluation:
    """Run on a file or ERASER directory, or (None) on the test split of the run's config.

    Masks are arg-max unless `sample_seed` asks for drawn ones.
    """
    cache = open_cache(trained.config.data.get("cache", ""))  # runs of old have no such field
    source = open_evaluation(cache, trained, data)
    encode = partial(trained.encode, source, data or "the test split")
    texts = cached_texts(cache, source, trained.inputs.fingerprint, trained.limits, encode)
    outputs = trained.rationalize(texts, sample_seed=sample_seed)
    name = data or f"{trained.config.data.name} test"
    return Evaluation(trained, name, source, texts, outputs, sample_seed)


def evaluate(
    directory: str | os.PathLike[str],
    data: str | None = None,
    *,
    which: Which = "best",
    sample_seed: int | None = None,
    faithfulness: bool = False,
    changes: Mapping[str, Any] | None = None,
    removal: Removal | None = None,
) -> tuple[RationaleReport, dict[str, Any]]:
    """Score a run on a file (default: its config's test split): the report, and where it is from.

    Gold beyond the maximum length is invisible, as in the papers. Masks are arg-max unless
    `sample_seed` asks for drawn ones. faithfulness: what the predictor says without the rationale
    and with it alone, too, for the top k % by score of `config.unirex.k` and for the run's masks.
    changes: as `TrainedRun`'s. removal: whether tokens are taken out for that or hidden; default:
    as the run's config says.
    """
    found = run_on(TrainedRun(directory, which, changes), data, sample_seed=sample_seed)
    report = found.report()
    if faithfulness:
        report = dataclasses.replace(report, faithfulness=found.faithfulness(removal))
    return report, found.origin()


def open_evaluation(cache: Cache, trained: TrainedRun, data: str | None) -> Source:
    """The asked file or ERASER directory (of all splits the test split), or the config's own."""
    asked = ConfigDict(trained.config.data.to_dict())
    if data is not None and pathlib.Path(data).is_dir() and is_eraser(data):
        asked.update(name="eraser", train=data)
    elif data is not None:
        # A NumPy file may hold all splits, of which the test split is asked for.
        asked.update(name="graphs" if data.lower().endswith(".npz") else "files", test=data)
    return open_source(cache, asked, "test", trained.labels)


def evaluate_command(
    directory: str,
    *,
    data: str | None = None,
    out: str | None = None,
    which: Which = "best",
    sample_seed: int | None = None,
    faithfulness: bool = False,
    removal: Removal | None = None,
) -> int:
    """Evaluate, print the tables and write results.json (in the run, or at `out`).

    Raises DataError, after the tables, where the file cannot be written.
    """
    from rich.console import Console

    report, origin = evaluate(
        directory,
        data,
        which=which,
        sample_seed=sample_seed,
        faithfulness=faithfulness,
        removal=removal,
    )
    console = Console()
    console.print(
        f"{origin['method']} ({origin['preset']}), seed {origin['seed']}, {origin['checkpoint']}, "
        f"{origin['masks']} masks, on {origin['data']['name']}",
        highlight=False,
    )
    for table in render(report):
        console.print(table)
    path = pathlib.Path(out) if out else pathlib.Path(directory) / "results.json"
    _write(path, {"origin": origin, **report.to_dict()})
    console.print(f"written to {path}", highlight=False)
    return 0


def _write(path: pathlib.Path, results: dict[str, Any]) -> None:
    """Write the results in one step; a run that may only be read is the user's to get around."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        reason = f"cannot be written ({error.strerror})"
        mend = "name a file elsewhere: n2r evaluate --out FILE"
        raise DataError(reason, file=path, mend=mend) from error
