"""Bidirectional GRU extractor and predictor on frozen word vectors (N2R section 5.1; Tables 1, 2).

    extractor   vectors -> biGRU -> LayerNorm -> dropout -> linear to two logits a token, or an MLP
    predictor   vectors * mask -> its own biGRU -> maximum over time = Enc(Z) -> dropout -> linear

The two may share one biGRU, the parameter group 'encoder' (UNIREX's SLM). Initial values are
PyTorch's defaults, which the papers' settings were tuned with. In inference the words of a split
may stand in for vectors: see `word_gru`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.kernels import native
from n2r_jax.kernels.gru import Weights
from n2r_jax.kernels.word_gru import Words, project
from n2r_jax.models.encoders.interface import Nonlinearity, unchanged
from n2r_jax.models.groups import of_group, share
from n2r_jax.models.gru_modules import Encoded, GRUExtractor, GRUPredictor, Tokens
from n2r_jax.models.interface import FromVectors, Params, Prediction, RationaleModel
from n2r_jax.models.mlp import Shape
from n2r_jax.models.soft_attention import soft_attention


@dataclasses.dataclass(frozen=True, eq=False)
class GRUText:
    """A pair of GRUs over frozen word vectors; `model()` gives the functions of the methods."""

    table: Float[Array, "v e"]
    """Word vectors, of which row 0 is zeros."""
    _: dataclasses.KW_ONLY
    units: int
    """Of each direction: the papers' hidden_dim is twice that."""
    classes: int
    dropout_rate: float
    shared: bool = False
    """One GRU for both, the parameter group 'encoder'."""
    padding: Literal["exact", "release"] = "exact"
    """'exact' keeps padding out of everything. 'release' does as the authors' code did, for
    replaying its runs: the recurrence runs through padding and the extractor may select it, only
    the maximum leaves it out."""
    unit_classes: int = 0
    """See `RationaleModel.unit_classes`; 0: one score."""
    score_head: Shape | None = None
    """The extractor's head: hidden layers of an MLP; None: a linear one."""

    def __post_init__(self) -> None:
        """Put the table on the device, once."""
        object.__setattr__(self, "table", jnp.asarray(self.table, jnp.float32))

    def model(self) -> RationaleModel:
        """The pure functions."""
        # Prepared words are scored by one linear head.
        one_head = not self.unit_classes and self.score_head is None
        return RationaleModel(
            init=self.init,
            encode=self.encode,
            score=self.score,
            predict=self.predict,
            selectable=self.selectable,
            encodes=("encoder",) if self.shared else ("extractor",),
            shared=("encoder",) if self.shared else (),
            given=self._given,
            prepare=self.prepare if one_head and native.suits(self.table) else None,
            from_vectors=FromVectors.of_units(self.vectors, self.predict_vectors),
            predict_compact=self.predict_compact,
            attend=self.attend,
            unit_classes=lambda classes: dataclasses.replace(self, unit_classes=classes).model(),
        )

    def init(self, key: Array, batch: Batch) -> Params:
        """Parameters by group."""
        return self._given | self._draw(key, batch.row)

    @property
    def _given(self) -> Params:
        return {"embedding": {"table": self.table}}

    @functools.cached_property
    def _draw(self) -> Callable[..., Params]:
        """`_drawn`, compiled once for all seeds."""
        return jax.jit(self._drawn)

    def _drawn(self, key: Array, row: Int[Array, " b"]) -> Params:
        x, valid = jnp.zeros((1, self.table.shape[1], 1)), jnp.ones((1, 1))
        for_extractor, for_predictor = jax.random.split(key)

        def run(module: GRUExtractor) -> Any:
            return module.score(module.encode(x, valid), row[:1], None)

        in_predictor = self._predictor.init(for_predictor, x, valid, valid, valid, row[:1], None)
        groups = {
            "extractor": nn.init(run, self._extractor)(for_extractor)["params"],
            "predictor": in_predictor["params"],
        }
        return share(groups, "gru") if self.shared else groups

    def selectable(self, batch: Batch) -> Float[Array, "b t"]:
        """1 at what the extractor may select."""
        return batch.valid if self.padding == "exact" else jnp.ones_like(batch.valid)

    def prepare(self, params: Params, words: Int[Array, " w"]) -> Params:
        """The words' own table, and what each GRU makes of them before any step."""
        table = params["embedding"]["table"][words]
        read = [group for group in ("extractor", "predictor") if group in params]
        projected = {g: project(Weights(**of_group(params, g)["gru"]), table) for g in read}
        return {"embedding": {"table": table, "projected": projected}}

    def encode(self, params: Params, batch: Batch) -> Encoded:
        """The extractor's states, or what its scores need of them."""
        variables = {"params": of_group(params, "extractor")}
        read = (self._tokens(params, "extractor", batch), self.selectable(batch).T)
        found: Any = self._extractor.apply(variables, *read, method="encode")
        return found

    def score(
        self, params: Params, encoded: Encoded, batch: Batch, key: Array | None
    ) -> Float[Array, "b t"] | Float[Array, "b t c"]:
        """Score of every token; see `unit_classes`."""
        variables = {"params": of_group(params, "extractor")}
        scores: Any = self._extractor.apply(variables, encoded, batch.row, key, method="score")
        return jnp.swapaxes(scores, 0, 1)

    def predict(
        self, params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        """Logits and Enc(Z) from the selected tokens alone."""
        return self._predict(params, batch, self._tokens(params, "predictor", batch), mask, key)

    def predict_compact(
        self, params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        """`predict` of the text that the selected tokens make by themselves."""
        short = compacted(batch, mask)
        return self.predict(params, short, short.valid, key)

    def attend(
        self,
        params: Params,
        batch: Batch,
        scores: Float[Array, "b t"],
        mask_pads: bool,
        key: Array | None,
    ) -> Prediction:
        """Logits from all tokens' states, averaged by the softmax of their scores."""
        variables = {"params": of_group(params, "predictor")}
        weights = soft_attention(scores, batch.valid, mask_pads=mask_pads).T
        x = self.vectors(params, batch).transpose(1, 2, 0)
        read = (x, self.selectable(batch).T, weights, batch.row, key)
        found: Any = self._predictor.apply(variables, *read, method="attend")
        return found

    def vectors(self, params: Params, batch: Batch) -> Float[Array, "b t e"]:
        """Word vectors, zeros behind a text's end."""
        return params["embedding"]["table"][batch.tokens] * batch.valid[:, :, None]

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
        """`predict` from given vectors; see `FromVectors`. UserError for a nonlinearity."""
        if nonlinearity is not unchanged:
            raise UserError("DeepLIFT does not know a GRU's gates; take integrated_gradients")
        return self._predict(params, batch, vectors.transpose(1, 2, 0), mask, key, twice)

    def _tokens(self, params: Params, group: str, batch: Batch) -> Tokens:
        if "projected" in params["embedding"]:
            return Words(params["embedding"]["projected"][group], batch.tokens.T)
        return self.vectors(params, batch).transpose(1, 2, 0)

    def _predict(
        self,
        params: Params,
        batch: Batch,
        x: Tokens,
        mask: Float[Array, "b t"],
        key: Array | None,
        twice: bool = False,
    ) -> Prediction:
        variables = {"params": of_group(params, "predictor")}
        seen = (x, mask.T, self.selectable(batch).T, batch.valid.T)
        found: Any = self._predictor.apply(variables, *seen, batch.row, key, twice)
        return found

    @property
    def _extractor(self) -> GRUExtractor:
        sizes = (self.units, self.table.shape[1], self.dropout_rate)
        return GRUExtractor(*sizes, self.unit_classes, self.score_head)

    @property
    def _predictor(self) -> GRUPredictor:
        return GRUPredictor(self.units, self.table.shape[1], self.classes, self.dropout_rate)


def compacted(batch: Batch, mask: Float[Array, "b t"]) -> Batch:
    """The texts that the selected tokens make by themselves."""
    kept = (mask > 0) & (batch.valid > 0)
    order = jnp.argsort(~kept, axis=1, stable=True)
    length = kept.sum(1, dtype=batch.length.dtype)
    tokens = jnp.take_along_axis(batch.tokens, order, axis=1)
    short = batch._replace(length=length)
    return short._replace(tokens=tokens * (short.valid > 0))
