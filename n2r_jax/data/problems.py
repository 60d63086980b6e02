"""What can be wrong with a row, told before anyone knows its file and line."""

from __future__ import annotations


class RowProblem(ValueError):
    """What is wrong with a row, and its mend; the reader adds file and line."""

    def __init__(self, problem: str, mend: str):
        self.problem, self.mend = problem, mend
        super().__init__(f"{problem}; {mend}")
