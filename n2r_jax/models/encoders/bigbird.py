"""BigBird (Zaheer et al. 2020): a BERT whose attention may be block-sparse, for long texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from jaxtyping import Array, Float, Int, Key

from n2r_jax.errors import UserError
from n2r_jax.kernels.attention import Heads
from n2r_jax.models.encoders.attention import attend
from n2r_jax.models.encoders.bert import BERT_DENSE, BERT_NORMS, bert_shape, places_of
from n2r_jax.models.encoders.bert_like import Attend, Shape, bert_like
from n2r_jax.models.encoders.block_sparse import attend_blocks, is_sparse
from n2r_jax.models.encoders.interface import Encoder, EncoderOptions, Place
from n2r_jax.models.encoders.layers import dense_places

Config = Mapping[str, Any]


def make_bigbird(config: Config, options: EncoderOptions) -> Encoder:
    """The encoder that a BigBird's config.json describes.

    With attention_type block_sparse texts of up to (5 + 2 num_random_blocks) block_size pieces are
    attended to fully, as in Hugging Face; counted is the batch's length, padding included. Beyond,
    the last block is the batch's, so a visible state depends on the number of blocks that its batch
    is padded to, though on nothing in them: pad all batches to one length where that matters.

    What differs from Hugging Face's PyTorch:

    - Training. Random blocks are drawn anew by every key, for each layer and head, from all blocks
      that are not attended to anyhow, as the paper says. There they are fixed for good by the
      layer's number, and drawn from the first 1024 pieces or (5 + 2 num_random_blocks) blocks.
    - options.attention_dropout also takes from block-sparse attention; there nothing does.
    - Inference is the same: random blocks are not used, and the first block counts once more for
      each of them, because the plan there is all zeros.
    """
    shape = bigbird_shape(config)
    attention = _attention(config)

    def is_full(pieces: int) -> bool:
        return attention is attend or not is_sparse(pieces, *_blocks(config))

    return bert_like(shape, options, bigbird_places(shape), attention, is_full)


def bigbird_shape(config: Config) -> Shape:
    """The sizes and switches in a BigBird's config.json."""
    shape = bert_shape(config)
    return dataclasses.replace(
        shape,
        scale_words=shape.hidden**0.5 if config.get("rescale_embeddings") else 1.0,
        drops_before_norm=True,
        projection_bias=config.get("use_bias", True),
    )


def bigbird_places(shape: Shape) -> dict[str, Place]:
    """A BERT's tensors, but the pooler is a bare linear layer and projections may lack a bias."""
    places = places_of(
        dataclasses.replace(shape, pooler=False), "encoder.layer", BERT_DENSE, BERT_NORMS
    )
    if not shape.projection_bias:
        unbiased = tuple(f"self.{name}.bias" for name in ("query", "key", "value"))
        places = {name: place for name, place in places.items() if not name.endswith(unbiased)}
    return places | dense_places("pooler", ("pooler",))


def _attention(config: Config) -> Attend:
    """Full or block-sparse, whichever config.json asks for."""
    kind = config.get("attention_type", "block_sparse")
    if kind == "original_full":
        return attend
    if kind != "block_sparse":
        raise UserError(
            f"config.json: attention_type {kind!r} is not known; "
            "take 'block_sparse' or 'original_full'"
        )
    block, random = _blocks(config)
    if block < 1 or random < 0:
        raise UserError(
            f"config.json: blocks of {block} pieces, {random} of them random, cannot be; "
            "BigBird was trained with block_size 64, num_random_blocks 3"
        )
    return partial(_attend_by_length, block=block, random=random)


def _blocks(config: Config) -> tuple[int, int]:
    """The pieces of a block, and how many random ones a block attends to."""
    return config.get("block_size", 64), config.get("num_random_blocks", 3)


def _attend_by_length(
    queries: Heads,
    keys: Heads,
    values: Heads,
    visible: Float[Array, "b p"],
    options: EncoderOptions,
    key: Key[Array, ""] | None,
    row: Int[Array, " b"],
    *,
    block: int,
    random: int,
) -> Heads:
    """Block-sparse attention where texts are long enough for it, else full attention."""
    parts = (queries, keys, values, visible, options, key, row)
    if is_sparse(visible.shape[1], block, random):
        return attend_blocks(*parts, block=block, random=random)
    return attend(*parts)
