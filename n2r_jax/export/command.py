"""`n2r export`: a run's predictions on a file, in a format of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from n2r_jax.errors import UserError
from n2r_jax.export import FORMATS
from n2r_jax.export.predicted import predicted_rows
from n2r_jax.export.rows import data_path, eraser_directory, read_rows
from n2r_jax.export.target import Target
from n2r_jax.inference import TrainedRun, Which

T = TypeVar("T")


class Counted(Iterable[T]):
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[T]):
        self.count, self._rows = 0, rows

    def __iter__(self) -> Iterator[T]:
        for row in self._rows:
            self.count += 1
            yield row


def export(
    name: str,
    trained: TrainedRun,
    out: str | Path,
    *,
    data: str | None = None,
    split: str = "test",
    shares: Sequence[float] = (),
    overwrite: bool = False,
) -> tuple[int, list[str]]:
    """Write what a run says of a file (default: its config's split); the rows, and notes.

    name: one of FORMATS. shares: of ERASER, rationales of the best-scored 0.01, ... of the tokens.
    Raises UserError, DataError or BadRows; then nothing is written.
    """
    form, reads = FORMATS[name], trained.inputs.reads
    if reads not in form.of:
        fit = ", ".join(own for own in FORMATS if reads in FORMATS[own].of)
        raise UserError(f"{name} holds {' or '.join(form.of)}, the run is of {reads}; take {fit}")
    place = data_path(data, split, trained.config)
    given = read_rows(place, split, trained.labels, trained.config, need_labels=form.need_labels)
    rows = Counted(predicted_rows(trained, given, faithful=form.faithful, shares=shares))
    target = Target(
        path=Path(out),
        labels=trained.labels,
        task=place.name.partition(".")[0] if place else trained.config.data.name,
        version=f"{trained.config.method} {trained.which}, step {trained.step}",
        data_dir=eraser_directory(place),
        split=split,
        overwrite=overwrite,
    )
    notes = form.load()(rows, target)
    return rows.count, notes


def export_command(
    name: str,
    run: str,
    out: str,
    *,
    data: str | None,
    split: str,
    which: Which,
    shares: Sequence[float],
    overwrite: bool,
) -> int:
    """Export, and print how much was written and what to know of it."""
    trained = TrainedRun(run, which)
    options = {"data": data, "split": split, "shares": shares, "overwrite": overwrite}
    count, notes = export(name, trained, out, **options)
    print(f"{count} rows written to {out}")
    for note in notes:
        print(note)
    return 0
