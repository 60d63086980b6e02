"""Review corpora as TFDS builders without TensorFlow, and their splits as sources.

A corpus says where its files are and how to read them (beer.py, hotel.py). Here they are prepared
once as array_record files, counted, and prepared anew when the user's files have changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from n2r_jax.data.raw import file_errors, read_lines
from n2r_jax.data.records import Record
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import BadRows, DataError, UserError

SPLITS = ("train", "dev", "annotated")
LABEL_NAMES = ("negative", "positive")
LEAKED = "annotated texts that stand here too"


class Outcome(NamedTuple):
    """What became of one line: a record, or none; and a note to be counted, if any."""

    record: Record | None
    note: str | None = None


class ReviewBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """One aspect of a review corpus; its configs are the aspects."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS: ClassVar[str] = ""

    def find_files(self, manual_dir: Path) -> dict[str, Path]:
        """The file of every split; raises DataError where one is missing."""
        raise NotImplementedError

    def parse_line(self, split: str, number: int, line: str) -> Outcome:
        """What becomes of a line, counted from 1; raises RowProblem."""
        raise NotImplementedError

    def read(self, split: str, path: Path) -> Iterator[Outcome | DataError]:
        """What becomes of each line of a split's file."""
        with file_errors(path):
            for number, line in read_lines(path):
                try:
                    yield self.parse_line(split, number, line.decode())
                except UnicodeDecodeError:
                    mend = "save the file as UTF-8"
                    yield DataError("not valid UTF-8", file=path, line=number, mend=mend)
                except RowProblem as bad:
                    yield DataError(bad.problem, file=path, line=number, mend=bad.mend)

    def _info(self) -> tfds.core.DatasetInfo:
        # One joined string is ten times as fast to write as a Sequence of Text.
        features = {
            "id": tfds.features.Text(),
            "text": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=list(LABEL_NAMES)),
            "rationale": tfds.features.Tensor(shape=(None,), dtype=np.uint8),
            "has_rationale": tfds.features.Scalar(dtype=np.bool_),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{type(self).__doc__} Aspect: {self.builder_config.name}.",
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        files = self.find_files(Path(dl_manager.manual_dir))
        self.info.metadata.update(files=fingerprint_files(files), counts={})
        annotated = _texts(self.read("annotated", files["annotated"]))
        return {
            split: self._generate_examples(split, path, annotated) for split, path in files.items()
        }

    def _generate_examples(
        self, split: str, path: Path, annotated: set[str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Examples of a split; what was kept, dropped and mended is counted in the metadata."""
        counts, errors, shared = Counter(), [], set()
        for line, outcome in enumerate(self.read(split, path)):
            if isinstance(outcome, DataError):
                errors.append(outcome)
                continue
            if outcome.note:
                counts[outcome.note] += 1
            if (record := outcome.record) is not None:
                example = _to_example(record)
                counts[LABEL_NAMES[record.label]] += 1
                counts["tokens"] += len(record.tokens)
                counts["gold tokens"] += sum(record.rationale or ())
                shared |= {example["text"]} & annotated
                yield line, example
        if errors:
            raise BadRows(errors)
        if not any(counts[name] for name in LABEL_NAMES):
            mend = "check that this is the right file"
            raise DataError("no text with a label in it", file=path, mend=mend)
        if split != "annotated":
            counts[LEAKED] = len(shared)
        self.info.metadata["counts"][split] = dict(counts)


class TfdsSource:
    """One split of a prepared corpus as a `Source`; tokens are decoded when asked for."""

    def __init__(self, builder: ReviewBuilder, split: str):
        """Open `split` of a prepared builder."""
        metadata = builder.info.metadata
        self._examples = builder.as_data_source(split)
        self.corpus, self.aspect, self.split = builder.name, builder.builder_config.name, split
        self.counts: dict[str, int] = dict(metadata["counts"][split])
        identity = [builder.name, self.aspect, str(builder.version), split, metadata["files"]]
        self._fingerprint = hashlib.sha256(repr(identity).encode()).hexdigest()

    @property
    def label_names(self) -> tuple[str, ...]:
        """Negative and positive."""
        return LABEL_NAMES

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the corpus, its version, the split and the user's files."""
        return self._fingerprint

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Record:
        example = self._examples[index]
        rationale = tuple(example["rationale"].tolist()) if example["has_rationale"] else None
        tokens = tuple(example["text"].decode().split(" "))
        return Record(example["id"].decode(), tokens, int(example["label"]), rationale)


def open_split(
    builder_class: type[ReviewBuilder],
    aspect: str,
    split: str,
    data_dir: str | os.PathLike[str],
    manual_dir: str | os.PathLike[str] | None,
) -> TfdsSource:
    """Open one split, preparing the corpus if there is none or its files have changed.

    Let only one process prepare a `data_dir`: a second one that does so at once fails.
    """
    if aspect not in builder_class.builder_configs:
        known = ", ".join(builder_class.builder_configs)
        raise UserError(f"{builder_class.__name__} has no aspect {aspect!r}, only {known}")
    if split not in SPLITS:
        raise UserError(f"no split {split!r}, only {', '.join(SPLITS)}")
    return TfdsSource(_prepare(builder_class, aspect, data_dir, manual_dir), split)


def fingerprint_files(files: dict[str, Path]) -> dict[str, str]:
    """SHA-256 of each split's file."""
    fingerprints = {}
    for split, path in files.items():
        with path.open("rb") as file:
            fingerprints[split] = hashlib.file_digest(file, "sha256").hexdigest()
    return fingerprints


def find_file(manual_dir: Path, candidates: Sequence[str], instructions: str) -> Path:
    """The first of `candidates` that exists under `manual_dir`; else DataError."""
    for name in candidates:
        if (manual_dir / name).is_file():
            return manual_dir / name
    raise DataError("no such file", file=manual_dir / candidates[0], mend=instructions)


def split_spaces(text: str) -> tuple[str, ...]:
    """Tokens of a text that its makers joined by spaces."""
    # str.split() would cut at no-break spaces too, and shift every rationale flag after one.
    return tuple(token for token in text.strip(" \r\n").split(" ") if token)


def _prepare(
    builder_class: type[ReviewBuilder],
    aspect: str,
    data_dir: str | os.PathLike[str],
    manual_dir: str | os.PathLike[str] | None,
) -> ReviewBuilder:
    def make_builder() -> ReviewBuilder:
        # TFDS would write tfrecord, which needs TensorFlow.
        return builder_class(
            config=aspect, data_dir=os.fspath(data_dir), file_format="array_record"
        )

    builder = make_builder()
    prepared = builder.data_path.exists()
    if prepared and not _is_stale(builder, manual_dir):
        return builder
    if manual_dir is None:
        mend = (
            "give manual_dir, the folder that holds the corpus. "
            + builder.MANUAL_DOWNLOAD_INSTRUCTIONS
        )
        raise DataError("not prepared yet", file=data_dir, mend=mend)
    builder.find_files(Path(manual_dir))
    if prepared:
        logging.warning("The files in %s have changed: %s is prepared anew", manual_dir, aspect)
        builder.data_path.rmtree()
        builder = make_builder()
    logging.info("Preparing %s (%s) from %s", builder.name, aspect, manual_dir)
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=os.fspath(manual_dir), try_download_gcs=False)
    with contextlib.redirect_stdout(io.StringIO()):  # it would speak of downloads
        builder.download_and_prepare(download_config=config)
    return builder


def _is_stale(builder: ReviewBuilder, manual_dir: str | os.PathLike[str] | None) -> bool:
    """Whether the user's files are there and differ from those that were prepared."""
    try:
        files = builder.find_files(Path(manual_dir)) if manual_dir is not None else None
    except DataError:
        return False
    return files is not None and fingerprint_files(files) != builder.info.metadata.get("files")


def _texts(outcomes: Iterator[Outcome | DataError]) -> set[str]:
    records = (outcome.record for outcome in outcomes if isinstance(outcome, Outcome))
    return {" ".join(record.tokens) for record in records if record is not None}


def _to_example(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "text": " ".join(record.tokens),
        "label": record.label,
        "rationale": np.asarray(record.rationale or (), np.uint8),
        "has_rationale": record.rationale is not None,
    }
