"""Any configured data set as sources, by split."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from n2r_jax.data.records import Source
from n2r_jax.errors import UserError

if TYPE_CHECKING:
    from n2r_jax.data.eraser import Reading

SPLITS = ("train", "dev", "test")


def open_split(data: Any, split: str, labels: Sequence[str] | None = None) -> Source:
    """Open the 'train', 'dev' or 'test' split of `config.data`.

    labels: the label names of the training split, which the other splits must keep to. Raises
    UserError for a data set or a split that does not exist.
    """
    if data.name not in OPENERS:
        raise UserError(
            f"config.data.name {data.name!r} is unknown; choose one of {', '.join(OPENERS)}"
        )
    if split not in SPLITS:
        raise UserError(f"split {split!r} is unknown; choose one of {', '.join(SPLITS)}")
    return OPENERS[data.name](data, split, labels or tuple(data.labels) or None)


def _open_file(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    from n2r_jax.data.files import read_file

    return read_file(_asked(data, split, split), label_names=labels)


def _open_graphs(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    """A file of one split, or the one of all splits that `train` names."""
    import pathlib

    from n2r_jax.data.files import read_file
    from n2r_jax.data.graph_arrays import splits_of

    path = data[split] or _asked(data, "train", split)
    if not data[split] and split not in splits_of(pathlib.Path(path)):
        raise UserError(f"{path} holds no {split} split; name one by --config.data.{split}=FILE")
    return read_file(path, label_names=labels, split=split)


def _open_eraser(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    from n2r_jax.data.eraser import read_eraser

    return read_eraser(_asked(data, "train", split), split, labels, reading_of(data))


def _open_public(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    from n2r_jax.data.polarity import Sampling
    from n2r_jax.data.public import read_public

    sampling = None
    if data.name == "polarity":
        sampling = Sampling(tuple(data.sizes), data.polarity_sampling, data.seed)
    return read_public(data.name, _asked(data, "train", split), split, labels, sampling)


def reading_of(data: Any) -> Reading:
    """How `config.data` has an ERASER directory read; runs of old have no such fields."""
    from n2r_jax.data.eraser import AS_IT_STANDS, Reading

    default = dataclasses.asdict(AS_IT_STANDS)
    return Reading(**{name: data.get(name, value) for name, value in default.items()})


def _open_reviews(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    from n2r_jax.data.reviews import Reviews

    return Reviews(
        split,
        size=data.sizes[SPLITS.index(split)],
        seed=data.seed,
        correlation=data.correlation,
        aspect=data.aspect,
    )


def compare_corpus(data: Any) -> None:
    """Log where a prepared Beer or Hotel copy differs from the paper's Table 5, if it is one."""
    if data.name not in ("beer", "hotel"):
        return
    from n2r_jax.data.paper_counts import compare_with_paper

    opener: Any = OPENERS[data.name]
    compare_with_paper({_corpus_split(split): opener(data, split, None) for split in SPLITS})


def _open_beer(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    from n2r_jax.data.beer import open_beer

    return open_beer(data.aspect, _corpus_split(split), *_directories(data))


def _open_hotel(data: Any, split: str, labels: Sequence[str] | None) -> Source:
    from n2r_jax.data.hotel import open_hotel

    return open_hotel(data.aspect, _corpus_split(split), *_directories(data))


OPENERS: dict[str, Callable[[Any, str, Sequence[str] | None], Source]] = {
    "files": _open_file,
    "graphs": _open_graphs,
    "eraser": _open_eraser,
    "beer": _open_beer,
    "hotel": _open_hotel,
    "reviews": _open_reviews,
    "sst": _open_public,
    "polarity": _open_public,
    "stormfront": _open_public,
    "tweet_eval": _open_public,
    "hatexplain": _open_public,
}


def _corpus_split(split: str) -> str:
    """Both review corpora are tested on their annotated texts."""
    return "annotated" if split == "test" else split


def _asked(data: Any, field: str, split: str) -> str:
    """A path that the config has to name."""
    if not data[field]:
        raise UserError(f"no {split} data; say which by --config.data.{field}=PATH")
    return data[field]


def _directories(data: Any) -> tuple[str, str | None]:
    return _asked(data, "directory", "prepared"), data.manual_directory or None
