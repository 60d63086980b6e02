"""Graph convolutions as extractor and predictor (N2R Table 4): units are nodes.

    extractor   nodes -> GCN -> LayerNorm -> dropout -> linear to two logits a node, or an MLP
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

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from n2r_jax.data.batch import Batch, Graphs
from n2r_jax.errors import UserError
from n2r_jax.models.encoders.interface import Nonlinearity, unchanged
from n2r_jax.models.graph_modules import GraphExtractor, GraphPredictor, Pooling
from n2r_jax.models.groups import of_group, share
from n2r_jax.models.interface import FromVectors, Params, Prediction, RationaleModel
from n2r_jax.models.message_passing import EdgeWeights
from n2r_jax.models.mlp import Shape
from n2r_jax.models.soft_attention import soft_attention


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphModel:
    """A pair of GCNs on graphs; `model()` gives the functions of the methods."""

    types: int
    """Of nodes."""
    units: int
    layers: int
    weights: EdgeWeights
    layer_norm: bool
    pooling: Pooling
    classes: int
    dropout_rate: float
    shared: bool = False
    """One GCN for both, the parameter group 'encoder'."""
    unit_classes: int = 0
    """See `RationaleModel.unit_classes`; 0: one score."""
    score_head: Shape | None = None
    """The extractor's head: hidden layers of an MLP; None: a linear one."""

    def model(self) -> RationaleModel:
        """The pure functions."""
        return RationaleModel(
            init=self.init,
            encode=self.encode,
            score=self.score,
            predict=self.predict,
            selectable=lambda batch: batch.valid,
            encodes=("encoder",) if self.shared else ("extractor",),
            shared=("encoder",) if self.shared else (),
            from_vectors=FromVectors.of_units(self.vectors, self.predict_vectors),
            predict_compact=self.predict,  # which is that of the induced subgraph
            attend=self.attend,
            unit_classes=lambda classes: dataclasses.replace(self, unit_classes=classes).model(),
        )

    def init(self, key: Array, batch: Batch) -> Params:
        """Parameters by group."""
        return self._draw(key, batch)

    @functools.cached_property
    def _draw(self) -> Callable[..., Params]:
        """`_drawn`, compiled once for all seeds."""
        return jax.jit(self._drawn)

    def _drawn(self, key: Array, batch: Batch) -> Params:
        for_extractor, for_predictor = jax.random.split(key)
        read = (node_vectors(batch, self.types), batch.valid, graphs_of(batch))

        def run(module: GraphExtractor) -> Array:
            return module.score(module.encode(*read), batch.row, None)

        groups = {
            "extractor": nn.init(run, self._extractor)(for_extractor)["params"],
            "predictor": self._predictor.init(for_predictor, *read, batch.row, None)["params"],
        }
        return share(groups, "gcn") if self.shared else groups

    def encode(self, params: Params, batch: Batch) -> Float[Array, "b t f"]:
        """The extractor's states of all nodes."""
        read = (self.vectors(params, batch), batch.valid, graphs_of(batch))
        variables = {"params": of_group(params, "extractor")}
        found: Any = self._extractor.apply(variables, *read, method="encode")
        return found

    def score(
        self, params: Params, states: Float[Array, "b t f"], batch: Batch, key: Array | None
    ) -> Float[Array, "b t"] | Float[Array, "b t c"]:
        """Score of every node; see `unit_classes`."""
        variables = {"params": of_group(params, "extractor")}
        found: Any = self._extractor.apply(variables, states, batch.row, key, method="score")
        return found

    def predict(
        self, params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        """Logits and Enc(Z) of the subgraph that the selected nodes make."""
        vectors = self.vectors(params, batch)
        return self.predict_vectors(params, batch, vectors, mask * batch.valid, key)

    def attend(
        self,
        params: Params,
        batch: Batch,
        scores: Float[Array, "b t"],
        mask_pads: bool,
        key: Array | None,
    ) -> Prediction:
        """Logits from all nodes' states, averaged by the softmax of their scores."""
        weights = soft_attention(scores, batch.valid, mask_pads=mask_pads)
        vectors, graphs = self.vectors(params, batch), graphs_of(batch)
        read = (vectors, batch.valid, graphs, weights, batch.row, key)
        variables = {"params": of_group(params, "predictor")}
        found: Any = self._predictor.apply(variables, *read, method="attend")
        return found

    def vectors(self, params: Params, batch: Batch) -> Float[Array, "b t e"]:
        """What is read of each node, which takes no parameters."""
        return node_vectors(batch, self.types)

    def predict_vectors(
        self,
        params: Params,
        batch: Batch,
        vectors: Float[Array, "b t e"],
        mask: Float[Array, "b t"],
        key: Array | None,
        nonlinearity: Nonlinearity = unchanged,
        twice: bool = False,
    ) -> Prediction:
        """`predict` from given vectors; any number of derivatives can be taken."""
        read = (vectors, mask, graphs_of(batch), batch.row, key, nonlinearity)
        found: Any = self._predictor.apply({"params": of_group(params, "predictor")}, *read)
        return found

    @property
    def _extractor(self) -> GraphExtractor:
        heads: Any = {"unit_classes": self.unit_classes, "score_head": self.score_head}
        return GraphExtractor(**self._sizes, **heads)

    @property
    def _predictor(self) -> GraphPredictor:
        return GraphPredictor(**self._sizes, classes=self.classes, pooling=self.pooling)

    @property
    def _sizes(self) -> dict[str, Any]:
        names = ("units", "layers", "weights", "layer_norm", "dropout_rate")
        return {name: getattr(self, name) for name in names}


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
