"""IOB2 tags (CoNLL style): a line `token TAB tag` a token, an empty line behind each text.

A run of selected tokens is one span: B-R at its first token, I-R at the others, O elsewhere. Lines
that begin with "# " and hold no tab are remarks: `# id=`, `# label=` (predicted), and where they
are known `# gold_label=`, `# gold=` (spans as JSON, [start, end) in tokens) and, of a question, its
answers `# choices=`. A token "#" has a tab behind it. White space inside a token becomes "_".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from n2r_jax.explain import runs
from n2r_jax.export.predicted import Predicted
from n2r_jax.export.target import Target, plain_token, write_file

NAME = "R"


def write(rows: Iterable[Predicted], target: Target) -> list[str]:
    """Write the file; what the user has to know."""
    write_file(target, render(rows, target))
    return []


def render(rows: Iterable[Predicted], target: Target) -> Iterator[str]:
    """A block a row."""
    for row in rows:
        lines = [*_remarks(row)]
        tags = iob2_tags(row.mask)
        lines += [f"{plain_token(t)}\t{g}" for t, g in zip(row.given.tokens, tags, strict=True)]
        yield "\n".join(lines) + "\n\n"


def iob2_tags(mask: Sequence[int]) -> Iterator[str]:
    """B-R where a run of ones begins, I-R inside it, O at zeros."""
    before = 0
    for selected in mask:
        yield f"{'I' if before else 'B'}-{NAME}" if selected else "O"
        before = selected


def _remarks(row: Predicted) -> Iterator[str]:
    yield f"# id={plain_line(row.given.id)}"
    yield f"# label={plain_line(row.label)}"
    yield f"# classification_scores={json.dumps(row.probabilities)}"
    if row.given.choices:
        yield f"# choices={json.dumps([' '.join(choice) for choice in row.given.choices])}"
    if row.given.label is not None:
        yield f"# gold_label={plain_line(row.given.label)}"
    if row.given.rationale is not None:
        yield f"# gold={json.dumps(list(runs(row.given.rationale)))}"


def plain_line(text: str) -> str:
    """A text without tabs and line breaks: spaces stay."""
    return " ".join(plain_token(part) if part else "" for part in text.split(" "))
