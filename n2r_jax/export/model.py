"""`n2r export model`: a run's chosen checkpoint as a folder that needs nothing of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax

from n2r_jax.errors import DataError, UserError
from n2r_jax.export.model_card import Scores, model_card
from n2r_jax.export.target import new_folder
from n2r_jax.inference import TrainedRun, Which
from n2r_jax.model_directory import write_model
from n2r_jax.training import parallel
from n2r_jax.training.metrics import read_metrics


def export_model(trained: TrainedRun, out: str | Path) -> list[Path]:
    """Write the model of a run (or of an export) into a new folder; the files.

    Raises UserError where something is at `out` already, DataError where it cannot be written.
    """
    path = Path(out)
    if path.exists() or path.is_symlink():
        raise UserError(f"{path} exists already; name another --out")
    params = {group: trained.params[group] for group in trained.method.groups}
    with new_folder(path) as folder:
        write_model(
            folder,
            config=trained.config,
            manifest=trained.manifest,
            inputs=trained.inputs,
            params=jax.device_get(parallel.first_copy(params)),
            checkpoint=(trained.which, trained.step),
            card=model_card(trained, read_scores(trained)),
        )
    return sorted(path.iterdir())


def export_model_command(run: str, out: str, which: Which) -> int:
    """Export, and print what was written and how it is read."""
    trained = TrainedRun(run, which)
    files = export_model(trained, out)
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{trained.which} checkpoint (step {trained.step}) written to {out}: {size:.3g} MB in")
    print("  " + ", ".join(file.name for file in files))
    print(f"read it by n2r_jax.load({out!r}), or by any n2r command: --run {out}")
    if read_scores(trained).test is None:
        print("its card has no test scores: run n2r evaluate first to have them in it")
    return 0


def read_scores(trained: TrainedRun) -> Scores:
    """What was measured of the very checkpoint: on dev in training, on test by `n2r evaluate`.

    A results.json of another checkpoint is left out.
    """
    test = _read_json(trained.run.path / "results.json")
    origin = (test or {}).get("origin", {})
    if origin.get("checkpoint") != f"{trained.which} (step {trained.step})":
        test = None
    return Scores(_dev_scores(trained.run.path, trained.step), test)


def _dev_scores(run: Path, step: int) -> dict[str, float] | None:
    """The dev line of a step; None where there is none."""
    own = (line for line in read_metrics(run) if line["split"] == "dev")
    return next((line for line in own if line["step"] == step), None)


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        mend = "run n2r evaluate again, or move it away"
        raise DataError(f"cannot be read ({error})", file=path, mend=mend) from error
