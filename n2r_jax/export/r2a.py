"""R2A's tab-separated rows (Bao et al., 2018), as the N2R family of repositories reads them.

Columns task, label, text, rationale and pred_att are R2A's own; the first four alone are what its
readers take. The run speaks in them: label is the number of the predicted class, rationale the
selection, pred_att the tokens' scores. What is known of the truth stands behind them, so one file
is enough to score a run. Readers part tokens by spaces: a token's own white space becomes "_".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from n2r_jax.export.predicted import Predicted
from n2r_jax.export.target import Target, plain_token, write_file

HEADER = ("task", "label", "text", "rationale", "pred_att", "gold_label", "gold_rationale")


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the file; what the user has to know."""
    write_file(target, render(rows, target))
    shown = ", ".join(f"{index} = {label}" for index, label in enumerate(target.labels))
    return [f"labels are numbers: {shown}"]


def render(rows: Iterable[Predicted], target: Target) -> Iterator[str]:
    """The header, then a line a row; cells of an unknown truth are empty."""
    yield "\t".join(HEADER) + "\n"
    numbers = {label: str(index) for index, label in enumerate(target.labels)}
    for row in rows:
        cells = (
            plain_token(target.task),
            numbers[row.label],
            _joined(map(plain_token, row.given.tokens)),
            _joined(row.mask),
            _joined(f"{score:g}" for score in row.scores),
            "" if row.given.label is None else numbers[row.given.label],
            _joined(row.given.rationale or ()),
        )
        yield "\t".join(cells) + "\n"


def _joined(values: Iterable[object]) -> str:
    return " ".join(map(str, values))
