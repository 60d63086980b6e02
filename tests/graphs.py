"""Small graphs for tests: rows, records, and a run that was trained on them."""

import atexit
import functools
import json
import pathlib
import random
import shutil
import tempfile
from typing import Any

from n2r_jax.data.records import Graph, Record
from n2r_jax.train import train
from tests import tiny

FIELDS = {
    "model.name": "gcn",
    "model.units": 8,
    "model.dropout": 0.1,
    "graph.layers": 2,
    "data.max_length": 12,
    "batching.buckets": (8,),
    "batching.batch_size": 16,
    "data.name": "files",
    "objective.lambda_continuity": 0.0,
    "objective.lambda_sparsity": 1.0,
    "training.epochs": 8,
    "training.checkpoint_every": 0,
}


def row(split: str, number: int) -> dict[str, Any]:
    """A random tree of carbon and oxygen with two atoms that are the label: N or F."""
    rng = random.Random(f"{split} {number}")
    size, label = rng.randint(5, 12), ("no", "yes")[number % 2]
    nodes = [rng.choice("CO") for _ in range(size)]
    gold = rng.sample(range(size), 2)
    for node in gold:
        nodes[node] = "F" if label == "yes" else "N"
    edges = [[node, rng.randrange(node)] for node in range(1, size)]
    flags = [int(node in gold) for node in range(size)]
    name = f"{split}-{number}"
    return {"id": name, "nodes": nodes, "edges": edges, "label": label, "rationale": flags}


def write_rows(path: pathlib.Path, split: str, size: int, **fields: Any) -> pathlib.Path:
    """Write rows as JSONL."""
    rows = (json.dumps(row(split, number) | fields) + "\n" for number in range(size))
    path.write_text("".join(rows), encoding="utf-8")
    return path


def record(nodes: str, edges: list[tuple[int, int]], features: Any = (), **fields: Any) -> Record:
    """A graph of one letter a node, its edges both ways."""
    both = {*edges, *((b, a) for a, b in edges)}
    graph = Graph(tuple(sorted(both)), tuple(map(tuple, features)))
    return Record(
        fields.pop("id", "g"), tuple(nodes), fields.pop("label", 0), graph=graph, **fields
    )


def config(folder: pathlib.Path, **changes: Any) -> Any:
    """The tiny config of a graph run on rows in a folder, written where they are missing."""
    for split, size in (("train", 48), ("dev", 20), ("test", 20)):
        if not (folder / f"{split}.jsonl").exists():
            write_rows(folder / f"{split}.jsonl", split, size)
    paths = {f"data__{split}": str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    fields = {name.replace(".", "__"): value for name, value in FIELDS.items()}
    return tiny.config(**(fields | paths | changes))


@functools.cache
def trained_run() -> pathlib.Path:
    """A finished graph run, trained once for all tests. Copy it before you change it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="n2r_jax_graphs_"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    train(config(directory), str(directory / "run"))
    return directory / "run"
