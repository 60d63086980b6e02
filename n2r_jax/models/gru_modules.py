"""The extractor and the predictor of `gru_text.py` as Flax modules, time-major: [T, ..., B]."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.kernels import gru
from n2r_jax.kernels.bigru import bigru_max, bigru_states
from n2r_jax.kernels.dropout import dropout
from n2r_jax.kernels.gru import Weights
from n2r_jax.kernels.token_scores import (
    EPSILON,
    Head,
    StateMoments,
    States,
    scores_of_moments,
    token_scores,
)
from n2r_jax.kernels.word_gru import Words, word_max, word_moments
from n2r_jax.models.interface import Prediction
from n2r_jax.models.mlp import Mlp, Shape, uniform

Tokens = Float[Array, "t e b"] | Words
"""What a GRU reads: the vectors of a batch's tokens, or in inference words already projected."""
Encoded = States | StateMoments
"""What an extractor makes of them: states, or of words only what the scores need of these."""


class GRUWeights(nn.Module):
    """Parameters of a bidirectional GRU, U(-1/sqrt(units), 1/sqrt(units))."""

    units: int
    features: int

    @nn.compact
    def __call__(self) -> Weights:
        """All weights, the direction as leading axis."""
        shapes = {
            "input": (2, 3, self.units, self.features),
            "hidden": (2, 3, self.units, self.units),
            "input_bias": (2, 3, self.units),
            "hidden_bias": (2, 3, self.units),
        }
        init = uniform(self.units**-0.5)
        return Weights(**{name: self.param(name, init, shapes[name]) for name in shapes})


class Linear(nn.Module):
    """A linear layer's parameters: kernel [outputs, inputs] and bias, PyTorch's default init."""

    outputs: int
    inputs: int

    @nn.compact
    def __call__(self) -> tuple[Float[Array, "o i"], Float[Array, " o"]]:
        """The kernel and the bias."""
        init = uniform(self.inputs**-0.5)
        kernel = self.param("kernel", init, (self.outputs, self.inputs))
        return kernel, self.param("bias", init, (self.outputs,))


class GRUExtractor(nn.Module):
    """Scores every token for selection."""

    units: int
    features: int
    dropout_rate: float
    unit_classes: int = 0
    """Logits of a token by `score`, on a last axis; 0: one score, and no such axis."""
    score_head: Shape | None = None
    """Hidden layers of an MLP; None: a linear head."""

    def setup(self) -> None:
        """Create the parameters."""
        self.gru = GRUWeights(self.units, self.features)
        self.scale = self.param("scale", nn.initializers.ones, (2 * self.units,))
        self.offset = self.param("offset", nn.initializers.zeros, (2 * self.units,))
        width = 2 * self.units
        self.head: Any = (
            Mlp(self.score_head, width, self.unit_classes or 1)
            if self.score_head
            else Linear(self.unit_classes or 2, width)
        )

    def encode(self, tokens: Tokens, valid: Float[Array, "t b"]) -> Encoded:
        """Both directions: the costly part, before any noise."""
        if isinstance(tokens, Words):
            ((head, _),) = self._heads()
            return word_moments(self.gru(), tokens, valid, head.weight * head.scale)
        return bigru_states(self.gru(), tokens, valid)

    def score(
        self, encoded: Encoded, row: Int[Array, " b"], key: Array | None
    ) -> Float[Array, "t b"] | Float[Array, "t b c"]:
        """Logit of selected minus logit of not selected, or those of `unit_classes`.

        Of an MLP its one output in place of the difference. Raises ValueError for words with a key.
        """
        if isinstance(encoded, StateMoments):
            ((head, bias),) = self._heads()
            if key is not None:
                raise ValueError("words already projected are for inference, without dropout")
            return scores_of_moments(encoded, head) + bias
        if self.score_head is not None:
            return self._mlp_score(encoded, row, key)
        scores = [
            token_scores(encoded, head, row, self.dropout_rate, key) + bias
            for head, bias in self._heads()
        ]
        return jnp.stack(scores, -1) if self.unit_classes else scores[0]

    def _mlp_score(
        self, states: States, row: Int[Array, " b"], key: Array | None
    ) -> Float[Array, "t b"] | Float[Array, "t b c"]:
        both = jnp.concatenate(states, axis=1)
        normed = jax.nn.standardize(both, axis=1, epsilon=EPSILON)
        scaled = normed * self.scale[None, :, None] + self.offset[None, :, None]
        kept = dropout(scaled, key, row, self.dropout_rate)
        logits: Array = self.head(kept.transpose(0, 2, 1))
        return logits if self.unit_classes else logits[..., 0]

    def _heads(self) -> list[tuple[Head, Float[Array, ""]]]:
        """Head and bias of every class, or those of selected minus those of not selected."""
        kernel, bias = self.head()
        if not self.unit_classes:
            kernel, bias = kernel[1:] - kernel[:1], bias[1:] - bias[:1]
        shape = (2, self.units)
        scale, offset = self.scale.reshape(shape), self.offset.reshape(shape)
        return [
            (Head(row.reshape(shape), scale, offset), own)
            for row, own in zip(kernel, bias, strict=True)
        ]


class GRUPredictor(nn.Module):
    """Classifies from the selected tokens."""

    units: int
    features: int
    classes: int
    dropout_rate: float

    def setup(self) -> None:
        """Create the parameters."""
        self.gru = GRUWeights(self.units, self.features)
        self.head = Linear(self.classes, 2 * self.units)

    def __call__(
        self,
        tokens: Tokens,
        mask: Float[Array, "t b"],
        valid: Float[Array, "t b"],
        pool: Float[Array, "t b"],
        row: Int[Array, " b"],
        key: Array | None,
        twice: bool = False,
    ) -> Prediction:
        """Logits and Enc(Z); a row without any token has Enc(Z) = 0. twice: see `FromVectors`."""
        if isinstance(tokens, Words):
            pooled = word_max(self.gru(), tokens, mask, valid, pool)
        elif twice:
            pooled = _max_without_rules(self.gru(), tokens, mask, valid, pool)
        else:
            pooled = bigru_max(self.gru(), tokens, mask, valid, pool)
        return self._classified(jnp.where(pool.sum(0)[None] > 0, pooled, 0.0), row, key)

    def attend(
        self,
        tokens: Float[Array, "t e b"],
        valid: Float[Array, "t b"],
        weights: Float[Array, "t b"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Prediction:
        """Logits from the states of all tokens, averaged with the given weights."""
        states = bigru_states(self.gru(), tokens, valid)
        sides = [jnp.einsum("tb,thb->hb", weights, side) for side in states]
        return self._classified(jnp.concatenate(sides), row, key)

    def _classified(
        self, pooled: Float[Array, "f b"], row: Int[Array, " b"], key: Array | None
    ) -> Prediction:
        kernel, bias = self.head()
        kept = dropout(pooled[None], key, row, self.dropout_rate)[0]
        return Prediction((kernel @ kept + bias[:, None]).T, pooled.T)


def _max_without_rules(
    weights: Weights, inputs: Array, mask: Array, valid: Array, pool: Array
) -> Float[Array, "f b"]:
    """`bigru_max` without derivative rules of its own, so that any number can be taken."""
    peaks = (
        gru.run(
            jax.tree.map(lambda a, side=int(reverse): a[side], weights),
            inputs,
            mask,
            valid,
            reverse=reverse,
            tape=frozenset(),
            pool=pool,
        )[1].value
        for reverse in (False, True)
    )
    return jnp.concatenate(list(peaks))
