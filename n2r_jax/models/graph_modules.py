"""The extractor and the predictor of `graph.py` as Flax modules."""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.data.batch import Graphs
from n2r_jax.kernels.dropout import dropout
from n2r_jax.models.encoders.interface import Nonlinearity, unchanged
from n2r_jax.models.interface import Prediction
from n2r_jax.models.message_passing import EdgeWeights, propagate, weighted_graph
from n2r_jax.models.mlp import Mlp, Shape
from n2r_jax.models.pooling import max_over_units

Pooling = Literal["max", "mean"]


def dense(outputs: int, inputs: int, name: str | None = None) -> nn.Dense:
    """A linear layer with PyTorch's default initial values, biases U(-1/sqrt(inputs), ...) too.

    Biases of 0 would do harm: where all nodes are alike, states would differ by a factor alone, and
    relu would never bend them.
    """

    def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -1, 1) * inputs**-0.5

    return nn.Dense(outputs, kernel_init=init, bias_init=init, name=name)


class GCN(nn.Module):
    """Layers of graph convolution on the nodes of a mask."""

    units: int
    layers: int
    weights: EdgeWeights
    layer_norm: bool

    @nn.compact
    def __call__(
        self,
        nodes: Float[Array, "b t e"],
        mask: Float[Array, "b t"],
        graphs: Graphs,
        nonlinearity: Nonlinearity = unchanged,
    ) -> Float[Array, "b t f"]:
        """States of the nodes, at least 0, and 0 outside the mask."""
        joined, seen = weighted_graph(graphs, mask, self.weights), mask[:, :, None]
        relu = nonlinearity("feed_forward", jax.nn.relu)
        states = nodes * seen
        for layer in range(self.layers):
            linear = dense(self.units, states.shape[-1], f"layer_{layer}")
            states = linear(propagate(joined, states))
            if self.layer_norm:
                states = nn.LayerNorm(name=f"norm_{layer}")(states)
            states = seen * relu(states)
        return states


class GraphExtractor(nn.Module):
    """Scores every node for selection."""

    units: int
    layers: int
    weights: EdgeWeights
    layer_norm: bool
    dropout_rate: float
    unit_classes: int = 0
    """Logits of a node by `score`, on a last axis; 0: one score, and no such axis."""
    score_head: Shape | None = None
    """Hidden layers of an MLP; None: a linear head."""

    def setup(self) -> None:
        """Create the parameters."""
        self.gcn = GCN(self.units, self.layers, self.weights, self.layer_norm)
        self.norm = nn.LayerNorm()
        self.head: Any = (
            Mlp(self.score_head, self.units, self.unit_classes or 1)
            if self.score_head
            else dense(self.unit_classes or 2, self.units)
        )

    def encode(
        self, nodes: Float[Array, "b t e"], valid: Float[Array, "b t"], graphs: Graphs
    ) -> Float[Array, "b t f"]:
        """States of all nodes, before any noise."""
        return self.gcn(nodes, valid, graphs)

    def score(
        self, states: Float[Array, "b t f"], row: Int[Array, " b"], key: Array | None
    ) -> Float[Array, "b t"] | Float[Array, "b t c"]:
        """Logit of selected minus logit of not selected, or those of `unit_classes`.

        Of an MLP its one output in place of the difference.
        """
        normed = dropout(self.norm(states), key, row, self.dropout_rate, layout="btf")
        logits = self.head(normed)
        if self.unit_classes:
            return logits
        return logits[..., 0] if self.score_head else logits[..., 1] - logits[..., 0]


class GraphPredictor(nn.Module):
    """Classifies from the selected nodes."""

    units: int
    layers: int
    weights: EdgeWeights
    layer_norm: bool
    classes: int
    dropout_rate: float
    pooling: Pooling

    def setup(self) -> None:
        """Create the parameters."""
        self.gcn = GCN(self.units, self.layers, self.weights, self.layer_norm)
        self.head = dense(self.classes, self.units)

    def __call__(
        self,
        nodes: Float[Array, "b t e"],
        mask: Float[Array, "b t"],
        graphs: Graphs,
        row: Int[Array, " b"],
        key: Array | None,
        nonlinearity: Nonlinearity = unchanged,
    ) -> Prediction:
        """Logits and Enc(Z); a row without any node has Enc(Z) = 0."""
        states = self.gcn(nodes, mask, graphs, nonlinearity)
        if self.pooling == "max":
            pooled = max_over_units(states)  # states are at least 0, and 0 outside the mask
        else:
            pooled = states.sum(1) / jnp.maximum(mask.sum(1), 1)[:, None]
        return self._classified(pooled, row, key)

    def attend(
        self,
        nodes: Float[Array, "b t e"],
        valid: Float[Array, "b t"],
        graphs: Graphs,
        weights: Float[Array, "b t"],
        row: Int[Array, " b"],
        key: Array | None,
    ) -> Prediction:
        """Logits from the states of all nodes, averaged with the given weights."""
        states = self.gcn(nodes, valid, graphs)
        return self._classified(jnp.einsum("bt,btf->bf", weights, states), row, key)

    def _classified(
        self, pooled: Float[Array, "b f"], row: Int[Array, " b"], key: Array | None
    ) -> Prediction:
        kept = dropout(pooled[:, None], key, row, self.dropout_rate, layout="btf")[:, 0]
        return Prediction(self.head(kept), pooled)
