"""Mistakes that a user can mend: one clear line that names the place and the mend."""

from __future__ import annotations

import os
from collections.abc import Sequence


class UserError(Exception):
    """A mistake outside this program. Commands print it as one line and exit with code 2."""


class DataError(UserError):
    """A row or a file that cannot be used: `file, line N: problem; mend`."""

    def __init__(
        self, problem: str, *, file: str | os.PathLike[str], mend: str, line: int | None = None
    ):
        self.problem, self.file, self.mend, self.line = problem, os.fspath(file), mend, line
        place = self.file if line is None else f"{self.file}, line {line}"
        super().__init__(f"{place}: {problem}; {mend}")


class BadRows(UserError):
    """Several rows of one file cannot be used; every one of them is kept in `errors`."""

    shown = 20

    def __init__(self, errors: Sequence[DataError]):
        self.errors = tuple(errors)
        lines = [str(error) for error in self.errors[: self.shown]]
        hidden = len(self.errors) - len(lines)
        if hidden:
            lines.append(f"... and {hidden} more bad rows (`n2r data check` lists all of them)")
        super().__init__("\n".join(lines))
