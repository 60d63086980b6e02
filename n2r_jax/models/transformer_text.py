"""Extractor and predictor on pretrained transformers (N2R section 5; Tables 3, 8 and 9).

    extractor   pieces -> encoder -> dropout -> linear, one score a piece -> one a word
    predictor   selected pieces -> encoder -> Enc(Z) -> dropout -> linear to classes

Units are words; a piece has its word's mask. Special pieces are never selectable, always visible.
The predictor is shown its selection in one of three ways:

    zeroed      word vectors of the others are zeros, the papers' way; their places still show
    attention   the others are hidden from attention as well; gaps in the positions still show
    compaction  the selected pieces stand together at the front, as if there had been no others; an
                unselected piece then gets no gradient, since it is nowhere
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from n2r_jax.data.batch import Batch, Pieces
from n2r_jax.models.encoders.halves import Text, special_places
from n2r_jax.models.encoders.interface import (
    Encoded,
    Encoder,
    EncoderParams,
    Nonlinearity,
    depth_of,
    unchanged,
)
from n2r_jax.models.encoders.layers import Dense, drop, split_key
from n2r_jax.models.interface import (
    Features,
    FromVectors,
    Params,
    Prediction,
    RationaleModel,
)
from n2r_jax.models.mlp import Mlp, Shape
from n2r_jax.models.pooling import max_over_units
from n2r_jax.models.soft_attention import soft_attention
from n2r_jax.models.word_pieces import (
    WordScore,
    compact,
    piece_mask,
    pieces_of,
    sum_of_pieces,
    word_scores,
)

Masking = Literal["zeroed", "attention", "compaction"]
Pooling = Literal["pooler", "max"]
MASKINGS, POOLINGS = get_args(Masking), get_args(Pooling)


@dataclasses.dataclass(frozen=True)
class TransformerText:
    """Two encoders of one family with their heads; `model()` gives the functions of the methods."""

    extractor: Encoder
    predictor: Encoder
    """With `soft_visibility` where `masking` is 'attention'."""
    classes: int
    dropout_rate: float
    """Of the features that the heads read."""
    masking: Masking = "zeroed"
    pooling: Pooling = "pooler"
    """Enc(Z): the pooler's output, or the largest state over the visible pieces."""
    word_score: WordScore = "first"
    """A word's score is its first piece's, or the mean or largest over its pieces."""
    shared: bool = False
    """One encoder for both, the parameter group 'encoder'; heads are always their own."""
    encoder_drops: bool = False
    """The encoder has dropout of its own, so that no two passes of it are alike."""
    frozen: int = 0
    """The lowest so many parts of an encoder get no gradient: 1 the embeddings, 2 layer_0 too."""
    pretrained: Callable[[], EncoderParams] | None = None
    """Reads what both encoders start from; None: random parameters."""
    score_head: Shape | None = None
    """The extractor's head: hidden layers of an MLP; None: a linear one."""
    unit_classes: int = 0
    """Logits of a word by `score`, on a last axis; 0: one score, and no such axis."""
    special_pieces: int = 0
    """Of a text at most, the first piece among them; 0: not known, and nothing relies on it."""

    def model(self) -> RationaleModel:
        """The pure functions. Features are shared by updates where the encoder drops nothing."""
        owner = "encoder" if self.shared else "extractor"
        return RationaleModel(
            init=self.init,
            draw=self.draw,
            encode=self._nothing if self.encoder_drops else self.encode,
            score=self.score,
            predict=self.predict,
            selectable=lambda batch: batch.valid,
            encodes=() if self.encoder_drops else (owner,),
            shared=("encoder",) if self.shared else (),
            layers=self.extractor.layers,
            from_vectors=FromVectors(
                self.vectors, self.baseline, self.predict_vectors, sum_of_pieces
            ),
            predict_compact=dataclasses.replace(self, masking="compaction").predict,
            score_and_predict=self.score_and_predict if self.shared else None,
            predict_halves=self.predict_halves,
            divides=self.divides,
            attend=self.attend,
            unit_classes=lambda classes: dataclasses.replace(self, unit_classes=classes).model(),
        )

    def init(self, key: Array, batch: Batch) -> Params:
        """Parameters by group: pretrained encoders, fresh heads."""
        if self.pretrained is None:
            return self._groups(key, jax.jit(self.extractor.init))
        read = self.pretrained()
        # Arrays of its own: a training step gives its buffers up, and none can be given up twice.
        return self._groups(key, lambda _: jax.tree.map(jnp.array, read))

    def draw(self, key: Array, batch: Batch) -> Params:
        """Parameters by group, all of them random."""
        return self._groups(key, self.extractor.init)

    def _groups(self, key: Array, start: Callable[[Array], EncoderParams]) -> Params:
        keys = jax.random.split(key, 4)
        extractor = {"head": self._scorer.init(keys[0], self._example)["params"]}
        predictor = {"head": self._classifier.init(keys[1], self._example)["params"]}
        if self.shared:
            shared = {"encoder": start(keys[2])}
            return shared | {"extractor": extractor, "predictor": predictor}
        return {
            "extractor": extractor | {"encoder": start(keys[2])},
            "predictor": predictor | {"encoder": start(keys[3])},
        }

    def encode(self, params: Params, batch: Batch) -> Encoded:
        """The extractor's states of all pieces, and the pooled one if the predictor shares them."""
        encoded = self._read(params, batch, None)
        # An array of nothing, since features are differentiated: nobody reads it.
        return encoded if self.shared else encoded._replace(pooled=encoded.pooled[:, :0])

    def score(
        self, params: Params, features: Features, batch: Batch, key: Array | None
    ) -> Float[Array, "b t"] | Float[Array, "b t c"]:
        """Score of every word: logit selected minus logit not selected; see `unit_classes`."""
        for_encoder, for_head = split_key(key, 2)
        encoded = self._read(params, batch, for_encoder) if self.encoder_drops else features
        return self._scored(params, encoded, batch, for_head)

    def score_and_predict(
        self, params: Params, features: Features, batch: Batch, key: Array | None
    ) -> tuple[Float[Array, "b t"], Prediction]:
        """Scores, and the prediction of the whole text; of an encoder that drops two passes."""
        for_scores, for_predictor = split_key(key, 2)
        if self.encoder_drops and key is not None:
            scores = self.score(params, features, batch, for_scores)
            return scores, self.predict(params, batch, batch.valid, for_predictor)
        encoded = self._read(params, batch, None) if self.encoder_drops else features
        scores = self._scored(params, encoded, batch, for_scores)
        pooled = self._pool(encoded, pieces_of(batch).visible)
        return scores, self._classified(params, pooled, batch, for_predictor)

    def _scored(
        self, params: Params, encoded: Encoded, batch: Batch, key: Array | None
    ) -> Float[Array, "b t"] | Float[Array, "b t c"]:
        kept = drop(encoded.states.astype(jnp.float32), key, batch.row, self.dropout_rate)
        variables = {"params": params["extractor"]["head"]}
        of_piece: Any = self._scorer.apply(variables, kept)

        def of_words(of_piece: Float[Array, "b p"]) -> Float[Array, "b t"]:
            return word_scores(of_piece, pieces_of(batch), batch.tokens, self.word_score)

        if not self.unit_classes:
            return of_words(of_piece[..., 0])
        return jax.vmap(of_words, in_axes=-1, out_axes=-1)(of_piece)

    def predict(
        self, params: Params, batch: Batch, mask: Float[Array, "b t"], key: Array | None
    ) -> Prediction:
        """Logits and Enc(Z) from the selected words alone."""
        return self._predict(self.predictor, params, batch, self.vectors(params, batch), mask, key)

    def divides(self, batch: Batch) -> bool:
        """Whether `predict_halves` is for batches of this shape."""
        if self.masking != "attention" or not self.special_pieces:
            return False
        length = pieces_of(batch).ids.shape[1]
        return self.predictor.encode_halves is not None and self.predictor.divides(length)

    def predict_halves(
        self, params: Params, batch: Batch, masks: Float[Array, "m b t"], key: Array | None
    ) -> Float[Array, "2 m b c"]:
        """Logits from the words that each mask shows, and from those that it hides."""
        pieces, encode = pieces_of(batch), self.predictor.encode_halves
        assert encode is not None, "asked of a batch that it does not divide"
        copies = batch.copies(len(masks))
        for_encoder, *for_heads = split_key(key, 3)
        special = special_places((pieces.word < 0) & (pieces.visible > 0), self.special_pieces)
        text = Text(self.vectors(params, batch), pieces.segment, pieces.visible, special)
        shown = jax.vmap(lambda mask: piece_mask(mask, pieces))(masks)
        halves = encode(self._encoder(params, "predictor"), text, shown, copies.row, for_encoder)
        logits = [
            self._classified(params, self._pool(encoded, there), copies, own).logits
            for (encoded, there), own in zip(halves, for_heads, strict=True)
        ]
        return jnp.stack(logits).reshape(2, *masks.shape[:2], -1)

    def attend(
        self,
        params: Params,
        batch: Batch,
        scores: Float[Array, "b t"],
        mask_pads: bool,
        key: Array | None,
    ) -> Prediction:
        """Logits from all pieces' states, averaged by the softmax of their words' scores.

        Special pieces belong to no word: they count among the pads.
        """
        pieces, encoder = pieces_of(batch), self._encoder(params, "predictor")
        for_encoder, for_head = split_key(key, 2)
        vectors = self.vectors(params, batch)
        read = (vectors, pieces.visible, pieces.segment, batch.row, for_encoder)
        states = self.predictor.encode(encoder, *read).states.astype(jnp.float32)
        of_piece = jnp.take_along_axis(scores, jnp.maximum(pieces.word, 0), axis=1)
        of_a_word = (pieces.word >= 0) & (pieces.visible > 0)
        weights = soft_attention(of_piece, of_a_word, mask_pads=mask_pads)
        return self._classified(params, jnp.einsum("bp,bph->bh", weights, states), batch, for_head)

    def vectors(self, params: Params, batch: Batch) -> Float[Array, "b p e"]:
        """Word vectors of the pieces that the predictor reads."""
        encoder = self._encoder(params, "predictor")
        return self.predictor.word_vectors(encoder, pieces_of(batch).ids)

    def baseline(self, params: Params, batch: Batch) -> Float[Array, "b p e"]:
        """The padding piece's vector in the place of every word's pieces (UNIREX section 5)."""
        pieces, encoder = pieces_of(batch), self._encoder(params, "predictor")
        padding = jnp.full_like(pieces.ids, self.predictor.padding)
        nothing = jax.lax.stop_gradient(self.predictor.word_vectors(encoder, padding))
        return jnp.where((pieces.word < 0)[..., None], self.vectors(params, batch), nothing)

    def predict_vectors(
        self,
        params: Params,
        batch: Batch,
        vectors: Float[Array, "b p e"],
        mask: Float[Array, "b t"],
        key: Array | None,
        nonlinearity: Nonlinearity = unchanged,
        twice: bool = False,
    ) -> Prediction:
        """`predict` from given vectors, in float32; see `FromVectors`."""
        changes = {"dtype": "float32", "nonlinearity": nonlinearity, "twice": twice}
        return self._predict(self.predictor.rebuilt(**changes), params, batch, vectors, mask, key)

    def _predict(
        self,
        predictor: Encoder,
        params: Params,
        batch: Batch,
        vectors: Float[Array, "b p e"],
        mask: Float[Array, "b t"],
        key: Array | None,
    ) -> Prediction:
        pieces, encoder = pieces_of(batch), self._encoder(params, "predictor")
        for_encoder, for_head = split_key(key, 2)
        vectors, visible, segments = self._shown(vectors, piece_mask(mask, pieces), pieces)
        encoded = predictor.encode(encoder, vectors, visible, segments, batch.row, for_encoder)
        return self._classified(params, self._pool(encoded, visible), batch, for_head)

    def _classified(
        self, params: Params, pooled: Float[Array, "b h"], batch: Batch, key: Array | None
    ) -> Prediction:
        kept = drop(pooled[:, None], key, batch.row, self.dropout_rate)[:, 0]
        variables = {"params": params["predictor"]["head"]}
        logits: Any = self._classifier.apply(variables, kept)
        return Prediction(logits, pooled)

    @property
    def _scorer(self) -> Dense | Mlp:
        width, outputs = self.extractor.hidden_size, self.unit_classes or 1
        return Mlp(self.score_head, width, outputs) if self.score_head else Dense(width, outputs)

    @property
    def _classifier(self) -> Dense:
        return Dense(self.predictor.hidden_size, self.classes)

    @property
    def _example(self) -> Float[Array, "1 h"]:
        return jnp.zeros((1, self.extractor.hidden_size))

    def _encoder(self, params: Params, group: str) -> EncoderParams:
        own = params["encoder"] if self.shared else params[group]["encoder"]
        layers = self.extractor.layers
        return {
            name: jax.lax.stop_gradient(part) if depth_of((name,), layers) < self.frozen else part
            for name, part in own.items()
        }

    @staticmethod
    def _nothing(params: Params, batch: Batch) -> tuple[()]:
        return ()

    def _read(self, params: Params, batch: Batch, key: Array | None) -> Encoded:
        pieces, encoder = pieces_of(batch), self._encoder(params, "extractor")
        vectors = self.extractor.word_vectors(encoder, pieces.ids)
        read = (vectors, pieces.visible, pieces.segment, batch.row, key)
        return self.extractor.encode(encoder, *read)

    def _shown(
        self, vectors: Float[Array, "b p e"], keep: Float[Array, "b p"], pieces: Pieces
    ) -> tuple[Float[Array, "b p e"], Float[Array, "b p"], Int[Array, "b p"]]:
        """Vectors, visibility and segments of what the predictor may see."""
        if self.masking == "attention":
            return vectors, keep, pieces.segment
        vectors = vectors * keep[..., None].astype(vectors.dtype)
        if self.masking == "zeroed":
            return vectors, pieces.visible, pieces.segment
        return compact(vectors, keep, pieces.segment)

    def _pool(self, encoded: Encoded, visible: Float[Array, "b p"]) -> Float[Array, "b h"]:
        if self.pooling == "pooler":
            return encoded.pooled.astype(jnp.float32)
        # A row that only fills the batch up has no piece.
        return max_over_units(encoded.states.astype(jnp.float32), visible > 0)
