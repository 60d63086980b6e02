"""Several runs on the same texts."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from n2r_jax.errors import UserError
from n2r_jax.evaluate import Evaluation, run_on
from n2r_jax.inference import TrainedRun, Which


def run_all(
    directories: Sequence[str], data: str | None, which: Which = "best"
) -> dict[str, Evaluation]:
    """Run every run on a file (default: each one's own test split), by name of the run.

    Raises UserError where the runs know other labels, or their test splits are not the same.
    """
    found: dict[str, Evaluation] = {}
    for name, directory in zip(names_of(directories), directories, strict=True):
        found[name] = run_on(TrainedRun(directory, which), data)
        first, own = next(iter(found.values())), found[name]
        if own.trained.labels != first.trained.labels:
            both = f"{first.trained.labels} and {own.trained.labels}"
            raise UserError(f"the runs have different labels, {both}; compare runs of one task")
        if own.source.fingerprint != first.source.fingerprint:
            raise UserError(
                f"{first.data} of {next(iter(found))} and {own.data} of {name} are not the same "
                "texts; name one file for all by --data"
            )
    return found


def names_of(directories: Sequence[str]) -> list[str]:
    """Return the runs' folders' names, or the paths as given where two have the same name.

    Raises UserError where a run is named twice.
    """
    paths = [pathlib.Path(directory) for directory in directories]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("a run is named twice; name each once")
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
