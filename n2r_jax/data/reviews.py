"""Hotel reviews from a seeded grammar: the embedded data for the demo and the tests.

Every review gives opinions on three aspects; the label is the polarity of the asked one, and its
gold rationale is known by construction. `correlation` makes the other aspects echo the label,
the spurious correlation of the beer and hotel reviews that select-then-predict papers study.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import operator
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

from n2r_jax.data.records import Record
from n2r_jax.data.reviews_grammar import (
    ASPECTS,
    COMMON,
    ENDS,
    JOINTS,
    KIND_SHARES,
    OPINIONS,
    Table,
)
from n2r_jax.errors import UserError

SPLITS = ("train", "dev", "test")
MIN_TOKENS, MAX_TOKENS = 30, 90

T = TypeVar("T")
Marked = list[tuple[str, str | None]]
"""Tokens, each with the aspect whose polarity it states, or None."""


@dataclasses.dataclass(frozen=True)
class Reviews:
    """A balanced source of `size` reviews of one split, labelled by the polarity of `aspect`.

    Record i depends on (seed, split, i, aspect, correlation) and not on `size`, so a larger source
    begins with the smaller one. `correlation` is Pearson's between the label and the polarity of
    each other aspect: they agree with probability (1 + correlation) / 2.
    """

    split: str
    _: dataclasses.KW_ONLY
    size: int = 2000
    seed: int = 0
    correlation: float = 0.0
    aspect: str = "service"

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise UserError(f"reviews have no split {self.split!r}; choose one of {SPLITS}")
        if self.aspect not in ASPECTS:
            raise UserError(f"reviews have no aspect {self.aspect!r}; choose one of {(*ASPECTS,)}")
        if not 0 <= self.correlation <= 1:
            raise UserError(f"correlation is {self.correlation}; choose it between 0 and 1")
        if self.size < 1:
            raise UserError(f"size is {self.size}; ask for at least one review")

    @property
    def label_names(self) -> tuple[str, ...]:
        """Label 0 is negative, label 1 positive."""
        return ("negative", "positive")

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hex digest of the settings and of up to 256 records spread over the source."""
        digest = hashlib.sha256(repr(self).encode())
        for index in range(0, self.size, max(1, self.size // 256)):
            digest.update(repr(self[index]).encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Record:
        index = operator.index(index)
        if not 0 <= index < self.size:
            raise IndexError(f"review {index} of {self.size}")
        rng = random.Random(f"{self.seed}/{self.split}/{index}")
        polarities = self._polarities(index, rng)
        review = write_review(rng, polarities, self.aspect)
        return Record(
            id=f"{self.split}/{index}",
            tokens=tuple(token for token, _ in review),
            label=polarities[self.aspect],
            rationale=tuple(int(aspect == self.aspect) for _, aspect in review),
        )

    def _polarities(self, index: int, rng: random.Random) -> dict[str, int]:
        """One label of each kind in every pair of neighbours, in an order that a coin decides."""
        coin = random.Random(f"{self.seed}/{self.split}/pair {index // 2}").random() < 0.5
        label = (index + coin) % 2
        agree = (1 + self.correlation) / 2
        others = {name: label if rng.random() < agree else 1 - label for name in ASPECTS}
        return others | {self.aspect: label}


def write_review(rng: random.Random, polarities: Mapping[str, int], asked: str) -> Marked:
    """Return one review: every aspect's opinions among neutral sentences, in shuffled order.

    What `rng` decides (the templates, the order, the length) never depends on `polarities`: with
    the same state of `rng` the opposite polarities give a review of the same shape.
    """
    while True:
        clauses = [
            _opinion(rng, name, polarity)
            for name, polarity in polarities.items()
            for _ in range(_pick(rng, (1, 2, 2, 3) if name == asked else (1, 1, 2)))
        ]
        target = _pick(rng, range(MIN_TOKENS + 4, MAX_TOKENS - 16))
        while sum(map(len, clauses)) + len(clauses) < target:
            clauses.append(_neutral(rng))
        review = _join(rng, sorted(clauses, key=lambda _: rng.random()))
        if MIN_TOKENS <= len(review) <= MAX_TOKENS:
            return review


def _opinion(rng: random.Random, aspect: str, polarity: int) -> Marked:
    kind = _pick_share(rng, KIND_SHARES)
    return _expand(rng, _pick(rng, OPINIONS[kind]), ASPECTS[aspect] | COMMON, polarity, aspect)


def _neutral(rng: random.Random) -> Marked:
    """Return a clause without opinion; one in four mentions an aspect."""
    template = _pick(rng, ("{mention}", "{background}", "{background}", "{background}"))
    aspect = _pick(rng, tuple(ASPECTS))
    return _expand(rng, template, ASPECTS[aspect] | COMMON, 0, aspect)


def _join(rng: random.Random, clauses: Sequence[Marked]) -> Marked:
    """Return the clauses as sentences; every fourth gap joins two clauses instead of ending one."""
    review = list(clauses[0])
    joined = False
    for clause in clauses[1:]:
        joined = not joined and rng.random() < 0.25
        link = _pick(rng, JOINTS if joined else ENDS)
        review += [(token, None) for token in link.split()] + clause
    return [*review, (".", None)]


def _expand(
    rng: random.Random, template: str, tables: Mapping[str, Table], polarity: int, aspect: str
) -> Marked:
    """Return the template with every slot filled, its bracketed tokens marked with the aspect."""
    tokens: Marked = []
    mark = None
    for part in template.split():
        if part in "[]":
            mark = aspect if part == "[" else None
        elif part.startswith("{"):
            flip = part.startswith("{!")
            phrase = _pick(rng, tables[part.strip("{!}")])
            side = 1 - polarity if flip else polarity
            chosen = phrase if isinstance(phrase, str) else phrase[1 - side]
            inner = _expand(rng, chosen, tables, side, aspect)
            tokens += [(token, mark or own) for token, own in inner]
        else:
            tokens.append((part, mark))
    return tokens


def _pick(rng: random.Random, choices: Sequence[T]) -> T:
    """Return one choice; random() is the only draw whose stream Python promises to keep."""
    return choices[int(rng.random() * len(choices))]


def _pick_share(rng: random.Random, shares: Mapping[str, float]) -> str:
    draw = rng.random() * sum(shares.values())
    for name, share in shares.items():
        draw -= share
        if draw < 0:
            return name
    return name
