"""Graph convolutions as extractor and predictor (N2R Table 4): units are nodes.

    extractor   nodes -> GCN -> LayerNorm -> dropout -> linear to two logits a node
    predictor   nodes * mask -> its own GCN on the selected subgraph -> pooled = Enc(Z)
                -> dropout -> linear

A layer is h <- mask * relu(A h W + b), before relu with a LayerNorm of each node if asked for; A is
the weighted adjacency of the selected subgraph with an edge from each node to itself. States are
masked in every layer and degrees count selected nodes alone, so the prediction is that of the
induced subgraph: other nodes, their types, features and edges never reach it. Nothing depends on
the order of the nodes.

A node is read as one number for each type, of which its own is 1, and its features.
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.data.batch import Batch, Graphs
from n2r_jax.errors import UserError
from n2r_jax.kernels.dropout import dropout
from n2r_jax.models.encoders.interface import Nonlinearity, unchanged
from n2r_jax.models.interface import FromVectors, Params, Prediction, RationaleModel
from n2r_jax.models.message_passing import EdgeWeights, propagate, weighted_graph
from n2r_jax.models.soft_attention import soft_attention

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

    def setup(self) -> None:
        """Create the parameters."""
        self.gcn = GCN(self.units, self.layers, self.weights, self.layer_norm)
        self.norm = nn.LayerNorm()
        self.head = dense(self.unit_classes or 2, self.units)

    def encode(
        self, nodes: Float[Array, "b t e"], valid: Float[Array, "b t"], graphs: Graphs
    ) -> Float[Array, "b t f"]:
        """States of all nodes, before any noise."""
        return self.gcn(nodes, valid, graphs)

    def score(
        self, states: Float[Array, "b t f"], row: Int[Array, " b"], key: Array | None
    ) -> Float[Array, "b t"] | Float[Array, "b t c"]:
        """Logit of selected minus logit of not selected, or those of `unit_classes`."""
        normed = dropout(self.norm(states), key, row, self.dropout_rate, layout="btf")
        logits = self.head(normed)
        return logits if self.unit_classes else logits[..., 1] - logits[..., 0]


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
            pooled = states.max(1)  # states are at least 0, and 0 outside the mask
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


def node_vectors(batch: Batch, types: int) -> Float[Array, "b t e"]:
    """What is read of each node: its type as one of so many, then its features; 0 for padding."""
    parts = [jax.nn.one_hot(batch.tokens - 1, types)]  # an unknown type, 0, is none of them
    features = graphs_of(batch).features
    if features is not None:
        parts.append(features)
    return jnp.concatenate(parts, -1) * batch.valid[:, :, None]


def graphs_of(batch: Batch) -> Graphs:
    """The batch's graphs; UserError where it is of texts."""
    if batch.graphs is None:
        raise UserError("config.model.name=gcn reads graphs; take another model for texts")
    return batch.graphs


def share_gcn(groups: Params) -> Params:
    """Make the predictor's GCN the group 'encoder', which both then read."""
    heads = {
        group: {name: part for name, part in parameters.items() if name != "gcn"}
        for group, parameters in groups.items()
    }
    return heads | {"encoder": {"gcn": groups["predictor"]["gcn"]}}


def graph_model(
    *,
    types: int,
    features: int,
    units: int,
    layers: int,
    weights: EdgeWeights,
    layer_norm: bool,
    pooling: Pooling,
    classes: int,
    dropout_rate: float,
    shared: bool = False,
    unit_classes: int = 0,
) -> RationaleModel:
    """A pair of GCNs on graphs whose nodes have one of `types` and so many features.

    shared: one GCN for both. unit_classes: see `RationaleModel.unit_classes`; 0: one score.
    """
    sizes: Any = {"units": units, "layers": layers, "weights": weights}
    sizes |= {"layer_norm": layer_norm, "dropout_rate": dropout_rate}
    extractor = GraphExtractor(**sizes, unit_classes=unit_classes)
    predictor = GraphPredictor(**sizes, classes=classes, pooling=pooling)

    def own(params: Params, group: str) -> Params:
        return {"params": params.get("encoder", {}) | params[group]}

    def vectors(params: Params, batch: Batch) -> Float[Array, "b t e"]:
        del params
        return node_vectors(batch, types)

    @jax.jit
    def init(key: Array, batch: Batch) -> Params:
        for_extractor, for_predictor = jax.random.split(key)
        nodes, graphs = node_vectors(batch, types), graphs_of(batch)
        groups = {
            "extractor": nn.init(_encode_and_score, extractor)(
                for_extractor, nodes, batch.valid, graphs, batch.row
            )["params"],
            "predictor": predictor.init(for_predictor, nodes, batch.valid, graphs, batch.row, None)[
                "params"
            ],
        }
        return share_gcn(groups) if shared else groups

    def encode(params: Params, batch: Batch) -> Float[Array, "b t f"]:
        read = (vectors(params, batch), batch.valid, graphs_of(batch))
        found: Any = extractor.apply(own(params, "extractor"), *read, method="encode")
        return found

    def score(
        params: Params, states: Float[Array, "b t f"], batch: Batch, key: Array | None
    ) -> Float[Array, "b t"]:
        read = (states, batch.row, key)
        found: Any = extractor.apply(own(params, "extractor"), *read, method="score")
        return found

    def predict_vectors(
        params: Params,
        batch: Batch,
        vectors: Float[Array, "b t e"],
        mask: Float[Array, "b t"],
        key: Array | None,
        nonlinearity: Nonlinearity = unchanged,
        twice: bool = False,
    ) -> Prediction:
        del twice  # any number of derivatives can be taken
        read = (vectors, mask, graphs_of(batch), batch.row, key, nonlinearity)
        found: Any = predictor.apply(own(params, "predictor"), *read)
        return found

    def predict(
        params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        return predict_vectors(params, batch, vectors(params, batch), mask * batch.valid, key)

    def attend(
        params: Params,
        batch: Batch,
        scores: Float[Array, "b t"],
        mask_pads: bool,
        key: Array | None,
    ) -> Prediction:
        weights = soft_attention(scores, batch.valid, mask_pads=mask_pads)
        read = (vectors(params, batch), batch.valid, graphs_of(batch), weights, batch.row, key)
        found: Any = predictor.apply(own(params, "predictor"), *read, method="attend")
        return found

    def of_unit_classes(number: int) -> RationaleModel:
        kinds: Any = {"types": types, "features": features, "classes": classes}
        same: Any = {"pooling": pooling, "shared": shared}
        return graph_model(**kinds, **sizes, **same, unit_classes=number)

    return RationaleModel(
        init,
        encode,
        score,
        predict,
        lambda batch: batch.valid,
        encodes=("encoder",) if shared else ("extractor",),
        shared=("encoder",) if shared else (),
        from_vectors=FromVectors(
            vectors,
            baseline=lambda params, batch: jnp.zeros_like(vectors(params, batch)),
            predict=predict_vectors,
            by_unit=lambda batch, values: values * batch.valid,
        ),
        predict_compact=predict,  # which is that of the induced subgraph
        attend=attend,
        unit_classes=of_unit_classes,
    )


def _encode_and_score(
    module: GraphExtractor,
    nodes: Float[Array, "b t e"],
    valid: Float[Array, "b t"],
    graphs: Graphs,
    row: Int[Array, " b"],
) -> Array:
    return module.score(module.encode(nodes, valid, graphs), row, None)
