"""A run's predictions and rationales in the formats of others.

A new one is a file and a line here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from n2r_jax.export.target import Write


@dataclasses.dataclass(frozen=True)
class Format:
    """One format: what it is, how it is written, and what its rows need."""

    help: str
    load: Callable[[], Write]
    """Imports the writer: the command line lists formats before anything heavy is there."""
    faithful: bool = False
    """Whether rows hold the predictor's classes of whole and ablated texts."""
    need_labels: bool = False
    """Whether every row has to have its true label."""
    of: tuple[str, ...] = ("texts",)
    """What it can hold: 'texts', 'graphs'."""


def _eraser() -> Write:
    from n2r_jax.export.eraser import write

    return write


def _r2a() -> Write:
    from n2r_jax.export.r2a import write

    return write


def _hatexplain() -> Write:
    from n2r_jax.export.hatexplain import write

    return write


def _iob2() -> Write:
    from n2r_jax.export.iob2 import write

    return write


def _labelstudio() -> Write:
    from n2r_jax.export.labelstudio import write

    return write


def _pyg() -> Write:
    from n2r_jax.export.pyg import write

    return write


def _quantus() -> Write:
    from n2r_jax.export.quantus import write

    return write


_BOTH = ("texts", "graphs")
_FOR_SCORER: Any = {"faithful": True, "need_labels": True}
FORMATS: dict[str, Format] = {
    "eraser": Format("predictions for ERASER's scorer, with the gold", _eraser, **_FOR_SCORER),
    "r2a": Format("tab-separated rows of R2A and the N2R family", _r2a),
    "hatexplain": Format("HateXplain's dataset.json, the run as annotator", _hatexplain),
    "iob2": Format("a tag a token, as taggers and seqeval read them", _iob2),
    "labelstudio": Format("tasks with pre-annotations for Label Studio", _labelstudio),
    "pyg": Format("node and edge masks for PyTorch Geometric (.npz)", _pyg, of=("graphs",)),
    "quantus": Format("inputs, scores and gold for Quantus (.npz)", _quantus, of=_BOTH),
}
