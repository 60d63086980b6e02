"""A trained run as a function from texts to rationales, in batches of few shapes."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Float, Int

from n2r_jax import assemble, assemble_model
from n2r_jax.data.batch import Batch
from n2r_jax.data.batching import Batches
from n2r_jax.data.encoding import EncodedTexts
from n2r_jax.data.records import Record, Source
from n2r_jax.errors import UserError
from n2r_jax.methods import Method, Rationale, rationalize
from n2r_jax.model_directory import ModelDirectory
from n2r_jax.models.interface import Params
from n2r_jax.run_directory import RunDirectory
from n2r_jax.training import parallel, prepared
from n2r_jax.training.checkpoints import newest_of
from n2r_jax.training.state import state_shapes

logger = logging.getLogger(__name__)
Which = Literal["best", "latest"]


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What a run makes of N texts, in their order, padded to the longest bucket T.

    Where the texts are rows of questions, each has its question's probabilities.
    """

    scores: Float[np.ndarray, "n t"]
    """Probability that a token is selected."""
    mask: Int[np.ndarray, "n t"]
    probabilities: Float[np.ndarray, "n c"]
    norm: Float[np.ndarray, " n"]
    """||Enc(Z)||, the norm of the predictor's representation."""


class Rationalizer:
    """A method as a function from parameters and texts to rationales, on all devices.

    bounds: lengths to pad to. classes: how many there are.
    """

    def __init__(self, method: Method, bounds: tuple[int, ...], classes: int):
        self.model, self.bounds, self.classes = method.model, bounds, classes

        def body(params_and_key: tuple[Params, Any], batch: Batch) -> Rationale:
            return rationalize(method, params_and_key[0], batch, params_and_key[1])

        self._run = parallel.data_parallel_rows(body)

    def __call__(
        self, params: Params, texts: EncodedTexts, batch_size: int, sample_seed: int | None = None
    ) -> Outputs:
        """Rationales of all texts. Masks are arg-max, or drawn with noise from `sample_seed`."""
        words, texts = prepared.own_words(self.model, texts)
        params = prepared.prepare(self.model, params, words)
        # Side by side, texts of one length waste no steps; every result goes to its text's place.
        order = np.argsort(texts.question_sizes, kind="stable")
        size = _rows(texts.questions, batch_size)
        batches = Batches(texts, order, self.bounds, size, seed=None)
        out = _empty(len(texts), self.bounds[-1], self.classes)
        for index, (length, members) in enumerate(batches.plan(0)):
            key = None
            if sample_seed is not None:
                key = jax.random.fold_in(jax.random.key(sample_seed), index)
            batch = parallel.shard(texts.batch(members, batches.rows, length))
            found = jax.device_get(self._run((params, key), batch))
            _scatter(out, found, members, length)
        return out


def _rows(texts: int, batch_size: int) -> int:
    """Rows of a batch: few sizes, since each is compiled, and as many on every device."""
    rows = min(batch_size, 1 << max(0, texts - 1).bit_length())
    devices = jax.local_device_count()
    return -(-rows // devices) * devices


class TrainedRun:
    """A run directory read back: config, words and one checkpoint's parameters.

    A model that was exported from a run (`n2r export model`) is read in the same way; it holds
    one checkpoint, whichever is asked for.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        which: Which = "best",
        changes: Mapping[str, Any] | None = None,
    ):
        """changes: dotted config fields in which explaining shall differ from training."""
        exported = ModelDirectory.is_at(directory)
        self.run = ModelDirectory(directory) if exported else RunDirectory(directory)
        self.config = self.run.read_config()
        self.config.update_from_flattened_dict(changes or {})
        self.manifest = self.run.read_manifest()
        self.labels: tuple[str, ...] = tuple(self.manifest["labels"])
        self.inputs = self.run.read_inputs()
        self.choices: int = self.manifest.get("choices", 1)  # runs of old know of no questions
        classes = len(self.labels)
        model = assemble_model.make_model(self.config, self.inputs, classes, self.choices)
        self.method = assemble.make_method(self.config, model)
        self.which, self.step, self.params = self._read_params(which)
        bounds = assemble.length_buckets(self.config)
        self._rationalize = Rationalizer(self.method, bounds, len(self.labels))

    def _read_params(self, which: Which) -> tuple[Which, int, Any]:
        """Parameters of the best checkpoint, or of the latest where no epoch was best yet."""
        optimizers = assemble.make_optimizers(self.config, self.method)
        record = self.inputs.example(self.choices)
        example = self.encode([record]).batch([], self.choices, 8)
        state = state_shapes(self.method, optimizers, example)
        wanted = {group: state.params[group] for group in self.method.groups}
        given = self.method.model.given
        if isinstance(self.run, ModelDirectory):
            params = self.run.read_params(wanted)
            return *self.run.checkpoint, parallel.replicate(params | given)
        kinds: tuple[Which, ...] = ("best", "latest") if which == "best" else ("latest",)
        found = newest_of(self.run.path, kinds, state._replace(params=wanted))
        if found is None:
            raise UserError(f"{self.run.path} has no checkpoint yet; train it first")
        kind, step, restored = found
        return kind, step, parallel.replicate(restored.params | given)

    @property
    def limits(self) -> dict[str, Any]:
        """What encoding depends on besides the inputs."""
        data = self.config.data
        return {"max_length": data.max_length, "too_long": data.too_long}

    def encode(self, records: Source | Sequence[Record], name: str = "the texts") -> EncodedTexts:
        """Look the tokens up as in training; UserError where the run is of another kind of text."""
        found = self.inputs.encode(records, name=name, **self.limits)
        if len(records):
            assemble.check_choices(found.choices, self.choices, name)
        return dataclasses.replace(found, choices=self.choices)

    def prepare_all_words(self) -> None:
        """Make once what depends on the words alone, for a run that explains again and again."""
        words = getattr(self.inputs, "table", ())
        self.params = prepared.prepare_vocabulary(self.method.model, self.params, len(words))

    def rationalize(
        self, texts: EncodedTexts, *, batch_size: int | None = None, sample_seed: int | None = None
    ) -> Outputs:
        """Rationales of all texts. Masks are arg-max, or drawn with noise from `sample_seed`."""
        size = batch_size or self.config.evaluation.batch_size
        return self._rationalize(self.params, texts, size, sample_seed)


def _empty(texts: int, length: int, classes: int) -> Outputs:
    return Outputs(
        scores=np.zeros((texts, length), np.float32),
        mask=np.zeros((texts, length), np.int8),
        probabilities=np.zeros((texts, classes), np.float32),
        norm=np.zeros(texts, np.float32),
    )


def _scatter(out: Outputs, found: Rationale, members: Int[np.ndarray, " k"], length: int) -> None:
    """Put a batch's rows [devices, rows, ...] to their texts' places."""
    flat = Rationale(*(a.reshape(-1, *a.shape[2:])[: len(members)] for a in found))
    out.scores[members, :length] = flat.scores
    out.mask[members, :length] = flat.mask > 0.5
    out.probabilities[members] = softmax(np.asarray(flat.logits))
    out.norm[members] = np.linalg.norm(flat.representation, axis=-1)


def softmax(logits: Float[np.ndarray, "... c"]) -> Float[np.ndarray, "... c"]:
    """Probabilities of the classes."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
