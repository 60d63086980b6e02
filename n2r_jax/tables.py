"""Tables of plain cells, for a page, the terminal or a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table as RichTable

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}
"""Signs that mean something else to LaTeX, or look like another sign in its old fonts."""


class Table(NamedTuple):
    """A caption, headings, and rows of which the first cell is a heading, too."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_rich(table: Table) -> RichTable:
    """Return a table for the terminal; nothing in it is read as markup."""
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(title=Text(table.caption), title_justify="left")
    for place, heading in enumerate(table.headings):
        shown.add_column(Text(heading), justify="right" if place else "left")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown


def as_latex(table: Table) -> str:
    r"""Return a LaTeX table; the document needs \usepackage{booktabs}."""
    columns = "l" + "r" * (len(table.headings) - 1)
    lines = [
        r"\begin{table}",
        rf"\caption{{{latex(table.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _latex_row(table.headings),
        r"\midrule",
        *map(_latex_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def latex(text: str) -> str:
    """Return text for LaTeX, every special sign escaped."""
    return re.sub(r"[\\~^<>|&%$#_{}]", lambda match: SPECIAL[match[0]], text)


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(latex, cells)) + r" \\"
