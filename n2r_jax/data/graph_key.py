"""One key for graphs that are the same, whatever the order of their nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from n2r_jax.data.records import Graph

ROUNDS = 8


def graph_key(nodes: Sequence[str], graph: Graph) -> bytes:
    """Equal for graphs that differ by the order of their nodes alone.

    Colours of Weisfeiler and Leman, refined so many times; graphs that these cannot tell apart a
    graph convolution of as many layers cannot either, so to a model they are the same.
    """
    features = graph.features or ((),) * len(nodes)
    colours = [_digest(own) for own in zip(nodes, features, strict=True)]
    senders: list[list[int]] = [[] for _ in nodes]
    for sender, receiver in graph.edges:
        senders[receiver].append(sender)
    for _ in range(ROUNDS):
        around = [sorted(colours[sender] for sender in own) for own in senders]
        refined = [_digest(pair) for pair in zip(colours, around, strict=True)]
        if len(set(refined)) == len(set(colours)):
            break
        colours = refined
    return hashlib.blake2b(b"".join(sorted(refined)), digest_size=16).digest()


def _digest(value: object) -> bytes:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).digest()
