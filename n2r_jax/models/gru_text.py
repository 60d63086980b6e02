"""Bidirectional GRU extractor and predictor on frozen word vectors (N2R section 5.1; Tables 1, 2).

    extractor   vectors -> biGRU -> LayerNorm -> dropout -> linear to two logits a token
    predictor   vectors * mask -> its own biGRU -> maximum over time = Enc(Z) -> dropout -> linear

The two may share one biGRU, the parameter group 'encoder' (UNIREX's SLM). Initial values are
PyTorch's defaults, which the papers' settings were tuned with. In inference the words of a split
may stand in for vectors: see `word_gru`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.data.batch import Batch
from n2r_jax.errors import UserError
from n2r_jax.kernels import gru, native
from n2r_jax.kernels.bigru import bigru_max, bigru_states
from n2r_jax.kernels.dropout import dropout
from n2r_jax.kernels.gru import Weights
from n2r_jax.kernels.token_scores import (
    Head,
    StateMoments,
    States,
    scores_of_moments,
    token_scores,
)
from n2r_jax.kernels.word_gru import Words, project, word_max, word_moments
from n2r_jax.models.encoders.interface import Nonlinearity, unchanged
from n2r_jax.models.interface import FromVectors, Params, Prediction, RationaleModel
from n2r_jax.models.soft_attention import soft_attention

Tokens = Float[Array, "t e b"] | Words
"""What a GRU reads: the vectors of a batch's tokens, or in inference words already projected."""
Encoded = States | StateMoments
"""What an extractor makes of them: states, or of words only what the scores need of these."""


def _uniform(bound: float) -> Callable[..., Array]:
    """Values from U(-bound, bound)."""
    return lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -bound, bound)


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
        init = _uniform(self.units**-0.5)
        return Weights(**{name: self.param(name, init, shapes[name]) for name in shapes})


class Linear(nn.Module):
    """A linear layer's parameters: kernel [outputs, inputs] and bias, PyTorch's default init."""

    outputs: int
    inputs: int

    @nn.compact
    def __call__(self) -> tuple[Float[Array, "o i"], Float[Array, " o"]]:
        """The kernel and the bias."""
        init = _uniform(self.inputs**-0.5)
        kernel = self.param("kernel", init, (self.outputs, self.inputs))
        return kernel, self.param("bias", init, (self.outputs,))


class GRUExtractor(nn.Module):
    """Scores every token for selection."""

    units: int
    features: int
    dropout_rate: float
    unit_classes: int = 0
    """Logits of a token by `score`, on a last axis; 0: one score, and no such axis."""

    def setup(self) -> None:
        """Create the parameters."""
        self.gru = GRUWeights(self.units, self.features)
        self.scale = self.param("scale", nn.initializers.ones, (2 * self.units,))
        self.offset = self.param("offset", nn.initializers.zeros, (2 * self.units,))
        self.head = Linear(self.unit_classes or 2, 2 * self.units)

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

        Raises ValueError for words with a key.
        """
        if isinstance(encoded, StateMoments):
            ((head, bias),) = self._heads()
            if key is not None:
                raise ValueError("words already projected are for inference, without dropout")
            return scores_of_moments(encoded, head) + bias
        scores = [
            token_scores(encoded, head, row, self.dropout_rate, key) + bias
            for head, bias in self._heads()
        ]
        return jnp.stack(scores, -1) if self.unit_classes else scores[0]

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


def share_gru(groups: Params) -> Params:
    """Make the predictor's GRU the group 'encoder', which both then read."""
    heads = {
        group: {name: part for name, part in parameters.items() if name != "gru"}
        for group, parameters in groups.items()
    }
    return heads | {"encoder": {"gru": groups["predictor"]["gru"]}}


def of_group(params: Params, group: str) -> Params:
    """All that a module reads: what it shares, and its own."""
    return params.get("encoder", {}) | params[group]


def gru_text_model(
    table: Float[Array, "v e"],
    *,
    units: int,
    classes: int,
    dropout_rate: float,
    shared: bool = False,
    padding: Literal["exact", "release"] = "exact",
    unit_classes: int = 0,
) -> RationaleModel:
    """The papers' GRU model over a frozen table of word vectors whose row 0 is zeros.

    units: per direction (the papers' hidden_dim is twice that). shared: one GRU for both. padding:
    'exact' keeps padding out of everything; 'release' does as the authors' code did, for replaying
    its runs: the recurrence runs through padding and the extractor may select it, only the maximum
    leaves it out. unit_classes: see `RationaleModel.unit_classes`; 0: one score.
    """
    features = table.shape[1]
    extractor = GRUExtractor(units, features, dropout_rate, unit_classes)
    predictor = GRUPredictor(units, features, classes, dropout_rate)

    def selectable(batch: Batch) -> Float[Array, "b t"]:
        return batch.valid if padding == "exact" else jnp.ones_like(batch.valid)

    def tokens(params: Params, group: str, batch: Batch) -> Tokens:
        if "projected" in params["embedding"]:
            return Words(params["embedding"]["projected"][group], batch.tokens.T)
        return vectors(params, batch).transpose(1, 2, 0)

    def vectors(params: Params, batch: Batch) -> Float[Array, "b t e"]:
        return params["embedding"]["table"][batch.tokens] * batch.valid[:, :, None]

    def prepare(params: Params, words: Int[Array, " w"]) -> Params:
        table = params["embedding"]["table"][words]
        read = [group for group in ("extractor", "predictor") if group in params]
        projected = {g: project(Weights(**of_group(params, g)["gru"]), table) for g in read}
        return {"embedding": {"table": table, "projected": projected}}

    given = {"embedding": {"table": jnp.asarray(table)}}

    @jax.jit
    def fresh(key: Array, row: Int[Array, " b"]) -> Params:
        x, valid = jnp.zeros((1, features, 1)), jnp.ones((1, 1))
        for_extractor, for_predictor = jax.random.split(key)

        def run(module: GRUExtractor) -> Any:
            return module.score(module.encode(x, valid), row[:1], None)

        in_extractor = nn.init(run, extractor)(for_extractor)["params"]
        in_predictor = predictor.init(for_predictor, x, valid, valid, valid, row[:1], None)
        groups = {"extractor": in_extractor, "predictor": in_predictor["params"]}
        return share_gru(groups) if shared else groups

    def init(key: Array, batch: Batch) -> Params:
        return given | fresh(key, batch.row)

    def encode(params: Params, batch: Batch) -> Encoded:
        variables = {"params": of_group(params, "extractor")}
        x, valid = tokens(params, "extractor", batch), selectable(batch).T
        found: Any = extractor.apply(variables, x, valid, method="encode")
        return found

    def score(
        params: Params, encoded: Encoded, batch: Batch, key: Array | None
    ) -> Float[Array, "b t"]:
        variables = {"params": of_group(params, "extractor")}
        scores: Any = extractor.apply(variables, encoded, batch.row, key, method="score")
        return jnp.swapaxes(scores, 0, 1)

    def predict(
        params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        return predicted(params, batch, tokens(params, "predictor", batch), mask, key)

    def predict_compact(
        params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        short = compacted(batch, mask)
        return predict(params, short, short.valid, key)

    def attend(
        params: Params,
        batch: Batch,
        scores: Float[Array, "b t"],
        mask_pads: bool,
        key: Array | None,
    ) -> Prediction:
        variables = {"params": of_group(params, "predictor")}
        weights = soft_attention(scores, batch.valid, mask_pads=mask_pads).T
        x: Any = vectors(params, batch).transpose(1, 2, 0)
        read = (x, selectable(batch).T, weights, batch.row, key)
        found: Any = predictor.apply(variables, *read, method="attend")
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
        if nonlinearity is not unchanged:
            raise UserError("DeepLIFT does not know a GRU's gates; take integrated_gradients")
        return predicted(params, batch, vectors.transpose(1, 2, 0), mask, key, twice)

    def predicted(
        params: Params, batch: Batch, x: Tokens, mask: Array, key: Array | None, twice: bool = False
    ) -> Prediction:
        variables = {"params": of_group(params, "predictor")}
        seen = (x, mask.T, selectable(batch).T, batch.valid.T)
        found: Any = predictor.apply(variables, *seen, batch.row, key, twice)
        return found

    def of_unit_classes(number: int) -> RationaleModel:
        sizes = {"units": units, "classes": classes, "dropout_rate": dropout_rate}
        same: Any = {"shared": shared, "padding": padding}
        return gru_text_model(table, **sizes, **same, unit_classes=number)

    # Prepared words are scored by one head.
    one_head = native.suits(given["embedding"]["table"]) and not unit_classes
    prepares = prepare if one_head else None
    return RationaleModel(
        init,
        encode,
        score,
        predict,
        selectable,
        encodes=("encoder",) if shared else ("extractor",),
        shared=("encoder",) if shared else (),
        given=given,
        prepare=prepares,
        from_vectors=FromVectors(
            vectors,
            baseline=lambda params, batch: jnp.zeros_like(vectors(params, batch)),
            predict=predict_vectors,
            by_unit=lambda batch, values: values * batch.valid,
        ),
        predict_compact=predict_compact,
        attend=attend,
        unit_classes=of_unit_classes,
    )


def compacted(batch: Batch, mask: Float[Array, "b t"]) -> Batch:
    """The texts that the selected tokens make by themselves."""
    kept = (mask > 0) & (batch.valid > 0)
    order = jnp.argsort(~kept, axis=1, stable=True)
    length = kept.sum(1, dtype=batch.length.dtype)
    tokens = jnp.take_along_axis(batch.tokens, order, axis=1)
    short = batch._replace(length=length)
    return short._replace(tokens=tokens * (short.valid > 0))
