"""What every pretrained encoder offers, whatever its family: the rationale models know no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from jaxtyping import Array, Float

EncoderParams = dict[str, Any]
"""{'embeddings': ..., 'layer_0': ..., 'layer_1': ..., 'pooler': ...}, trees of arrays."""
Elementwise = Callable[[Array], Array]
"""A function of numbers, applied to each of an array."""
Nonlinearity = Callable[[str, Elementwise], Elementwise]
"""(place, function) -> what is computed there instead; places: 'feed_forward', 'pooler'."""
Path = tuple[str, ...]
"""Where a tensor stands in the parameters: ('layer_0', 'attention', 'query', 'kernel')."""


class Place(NamedTuple):
    """Where a tensor of a Hugging Face file goes."""

    path: Path
    transposed: bool = False
    """PyTorch's linear weights are [out, in], ours [in, out]."""


def unchanged(place: str, function: Elementwise) -> Elementwise:
    """The `Nonlinearity` that leaves every function as it is."""
    del place
    return function


@dataclasses.dataclass(frozen=True)
class EncoderOptions:
    """How an encoder computes; none of it changes the parameters."""

    dropout: float = 0.0
    """Of the embeddings and of what every sub-layer adds."""
    attention_dropout: float = 0.0
    """Of the attention's probabilities."""
    remat: bool = False
    """Store a layer's input only, and compute the layer again in the backward pass."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What layers compute in. Parameters, LayerNorm's statistics and softmax stay float32."""
    soft_visibility: bool = False
    """Gradients reach `visible`: p_ij = v_j exp(s_ij) / sum_k v_k exp(s_ik); at v = 0 that of the
    chord to v = 1, as far as it goes in one layer (kernels/attention.py). Otherwise only
    visible > 0 matters, and a fused attention may be used."""
    nonlinearity: Nonlinearity = unchanged
    """Stands between the encoder and its elementwise functions: DeepLIFT changes their slopes."""
    twice: bool = False
    """Gradients can be differentiated once more: attention has no rules of its own, nor dropout."""


class Encoded(NamedTuple):
    """What an encoder makes of its pieces."""

    states: Float[Array, "b p h"]
    pooled: Float[Array, "b h"]
    """The pooler's output; the first piece's state in families that have no pooler."""


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A pretrained encoder as pure functions of its parameters.

    Padding is whatever is not visible: nothing but `visible` tells it apart, and no visible piece's
    state depends on it.
    """

    hidden_size: int
    max_pieces: int
    """The longest input, special tokens included."""
    layers: int
    init: Callable[[Array], EncoderParams]
    """(key) -> random parameters, as the family initialises them."""
    word_vectors: Callable[[EncoderParams, Array], Array]
    """(params, ids [b p]) -> rows of the word embedding [b p e], before anything is added."""
    encode: Callable[[EncoderParams, Array, Array, Array, Array, Array | None], Encoded]
    """(params, vectors [b p e], visible [b p], segments [b p], row [b], key) -> Encoded.

    Positions count from the first piece. `row` is a text's place in the global batch, which dropout
    is drawn by; no key means no dropout."""
    places: Mapping[str, Place]
    """All tensors, by their Hugging Face names without the model's prefix -> where they go."""
    rebuilt: Callable[..., Encoder]
    """(**changes) -> the same encoder with changed options, for the same parameters."""
    has_pooler: bool = True
    padding: int = 0
    """The padding piece's id."""
    encode_halves: Callable[..., Any] | None = None
    """(params, text, first, row, key) -> `encode` of two inputs that divide each text between them,
    in one pass (halves.py). None: it has to be two."""
    divides: Callable[[int], bool] = lambda pieces: False
    """Whether `encode_halves` is for texts padded to so many pieces."""


def depth_of(path: Path, layers: int) -> int:
    """How deep a parameter lies: 0 embeddings, i + 1 in layer i, layers + 1 above the last."""
    first = path[0]
    if first == "embeddings":
        return 0
    return int(first.removeprefix("layer_")) + 1 if first.startswith("layer_") else layers + 1
