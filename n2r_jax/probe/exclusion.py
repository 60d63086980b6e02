"""The certificate of exclusion: whatever unselected tokens are, the prediction is the same.

It is about the predictor behind the run's own masks. Which tokens are selected does depend on all
of them, by the extractor.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.evaluate import Evaluation
from n2r_jax.faithful import MaskedRun
from n2r_jax.probe.rewired import rewired

DRAWS = 3


def exclusion(
    evaluation: Evaluation, predict: MaskedRun, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Replace all unselected tokens of every text by others, several times over.

    applies: whether the method promises it (UNIREX's predict from the whole text). holds: whether
    no probability of any text moved, not by the last bit; None where it does not apply, or where
    the control moved nothing either: it replaces the selected tokens instead, and a run that
    selects none proves nothing. Changes are of probabilities.
    """
    texts, mask = evaluation.texts, evaluation.outputs.mask.astype(bool)
    applies = not evaluation.trained.method.predicts_from_all
    seen = mask if applies else evaluation.valid
    before = predict(texts, seen).probabilities
    rng = np.random.default_rng(seed)
    drawn = [predict(replaced(texts, mask, rng), seen).probabilities for _ in range(draws)]
    control = _changes(before, [predict(replaced(texts, ~mask, rng), seen).probabilities])
    found = _changes(before, drawn)
    still = found["largest_change"] == 0
    return {
        "applies": applies,
        "holds": None if not applies or (still and not control["changed_texts"]) else still,
        "texts": len(texts),
        "draws": draws,
        "selected": int((evaluation.valid & mask).sum()),
        "unselected": int((evaluation.valid & ~mask).sum()),
        **found,
        "control": control,
    }


def replaced(
    texts: EncodedTexts, keep: Bool[np.ndarray, "n t"], rng: np.random.Generator
) -> EncodedTexts:
    """Return the texts with all tokens outside `keep` replaced by others that occur in them.

    Where a model reads pieces, each piece of such a token is replaced; special ones stay. Of a
    graph all that is outside is another: types, features, edges.
    """
    if texts.pieces is None:
        ids = _replaced(texts.ids, keep[_rows_and_places(texts.starts)], texts.ids, rng)
        graphs = texts.graphs and rewired(texts, texts.graphs, keep, rng)
        return dataclasses.replace(texts, ids=ids, graphs=graphs)
    pieces = texts.pieces
    special = pieces.words < 0
    rows, _ = _rows_and_places(pieces.starts)
    kept = special | keep[rows, np.maximum(pieces.words, 0)]
    ids = _replaced(pieces.ids, kept, pieces.ids[~special], rng)
    return dataclasses.replace(texts, pieces=dataclasses.replace(pieces, ids=ids))


def _replaced(
    ids: np.ndarray, kept: np.ndarray, pool: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    drawn = rng.choice(np.unique(pool), len(ids)) if len(pool) else ids
    return np.where(kept, ids, drawn).astype(ids.dtype)


def _rows_and_places(starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Text and place of every entry of a flat array."""
    sizes = np.diff(starts)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    return rows, np.arange(len(rows)) - np.repeat(starts[:-1], sizes)


def _changes(
    before: Float[np.ndarray, "n c"], after: list[Float[np.ndarray, "n c"]]
) -> dict[str, Any]:
    """How far probabilities moved at most, and in how many texts they and the label moved."""
    moved = np.max([np.abs(own - before).max(-1) for own in after], axis=0)
    labels = np.any([own.argmax(-1) != before.argmax(-1) for own in after], axis=0)
    return {
        "largest_change": float(moved.max(initial=0.0)),
        "changed_texts": int((moved > 0).sum()),
        "changed_labels": int(labels.sum()),
    }
