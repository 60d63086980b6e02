"""From labels as written in files (names or integers) to indices into `label_names`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class LabelProblem(ValueError):
    """A label that cannot be used: `problem` and `mend` are ready to be shown."""

    def __init__(self, problem: str, mend: str):
        self.problem, self.mend = problem, mend
        super().__init__(f"{problem}; {mend}")


def infer_label_names(labels: Iterable[int | str]) -> tuple[str, ...]:
    """Sorted names of string labels, or "0".."K-1" where integers are in the majority.

    Raises LabelProblem where the integers are not 0..K-1.
    """
    labels = list(labels)
    names = sorted({label for label in labels if isinstance(label, str)})
    numbers = sorted({label for label in labels if not isinstance(label, str)})
    # A few strays of the other kind are bad rows; they must not rename the whole label set.
    if sum(isinstance(label, str) for label in labels) * 2 >= len(labels):
        return tuple(names)
    if numbers != list(range(len(numbers))):
        shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
        raise LabelProblem(
            f"the integer labels are {shown}, not 0 to {len(numbers) - 1}",
            "number the labels from 0 without gaps, write them as names, or give label_names",
        )
    return tuple(map(str, numbers))


def label_index(label: int | str, label_names: Sequence[str]) -> int:
    """Index of a label given by name or by number; raises LabelProblem outside the set."""
    if isinstance(label, str) and label in label_names:
        return label_names.index(label)
    if not isinstance(label, str) and 0 <= label < len(label_names):
        return label
    shown = ", ".join(map(repr, label_names[:10])) + (", ..." if len(label_names) > 10 else "")
    mend = f"use one of {shown}" + ("" if isinstance(label, str) else " (or its index)")
    raise LabelProblem(f"label {label!r} is not in the label set", mend)
