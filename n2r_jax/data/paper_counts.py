"""Whether prepared review corpora agree with Table 5 of the N2R paper."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

from n2r_jax.data.tfds_source import LABEL_NAMES, LEAKED, TfdsSource

TABLE_5 = {
    # positive and negative texts of each split; train after balancing
    ("beer", "appearance"): {"train": (16891, 16891), "dev": (6628, 2103), "annotated": (923, 13)},
    ("beer", "aroma"): {"train": (15169, 15169), "dev": (6579, 2218), "annotated": (848, 29)},
    ("hotel", "service"): {"train": (50742, 50742), "dev": (6344, 6344), "annotated": (101, 99)},
    ("hotel", "cleanliness"): {
        "train": (75049, 75049),
        "dev": (9382, 9382),
        "annotated": (99, 101),
    },
}
SPARSITY = {
    # percent of the annotated tokens that are gold
    ("beer", "appearance"): 18.5,
    ("beer", "aroma"): 15.6,
    ("hotel", "service"): 11.5,
    ("hotel", "cleanliness"): 8.9,
}


@dataclasses.dataclass(frozen=True)
class Difference:
    """One figure of the paper that a prepared corpus does not show."""

    place: str
    paper: float
    found: float

    def __str__(self) -> str:
        return f"{self.place}: {self.found:g} here, {self.paper:g} expected"


def compare_with_paper(splits: Mapping[str, TfdsSource]) -> list[Difference]:
    """Differences between one aspect's splits and Table 5, each also logged as a warning.

    Train is compared after balancing (twice its rarer label). Annotated texts that also stand in
    another split are told in the same way: a clean corpus has none. Aspects that are not in the
    table (palate, location) are searched for such texts only.
    """
    found = []
    for split, source in splits.items():
        key, where = (source.corpus, source.aspect), f"{source.corpus}-{source.aspect} {split}"
        if key in TABLE_5:
            found += _compare_labels(source, where, TABLE_5[key][split])
            if split == "annotated":
                found += _compare_sparsity(source, where, SPARSITY[key])
        if leaked := source.counts.get(LEAKED, 0):
            found.append(Difference(f"{where}, {LEAKED}", 0, leaked))
    for difference in found:
        logging.warning("%s", difference)
    return found


def _compare_labels(source: TfdsSource, where: str, paper: tuple[int, int]) -> list[Difference]:
    counts = {name: source.counts.get(name, 0) for name in LABEL_NAMES}
    if source.split == "train":
        counts = dict.fromkeys(LABEL_NAMES, min(counts.values()))
        where += " (balanced)"
    pairs = {"positive": paper[0], "negative": paper[1]}
    return [
        Difference(f"{where}, {name}", pairs[name], counts[name])
        for name in pairs
        if pairs[name] != counts[name]
    ]


def _compare_sparsity(source: TfdsSource, where: str, paper: float) -> list[Difference]:
    percent = round(100 * source.counts["gold tokens"] / max(source.counts["tokens"], 1), 1)
    # The paper does not say whether it averages over texts or tokens: let rounding pass.
    return [Difference(f"{where}, gold %", paper, percent)] if abs(percent - paper) > 0.15 else []
