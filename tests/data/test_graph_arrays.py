"""Graphs of a NumPy file: the layouts of the public copies, their splits, and damaged files."""

import pathlib

import numpy as np
import pytest
from ml_collections import ConfigDict

from n2r_jax.data.check import check_files
from n2r_jax.data.files import read_file
from n2r_jax.data.sources import open_split
from n2r_jax.errors import BadRows, DataError, UserError

COPIES = pathlib.Path(__file__).parents[3] / "shared" / "data"
FLAT = {
    "atom": np.array([0, 2, 0, 1, 3], np.uint8),
    "node_ptr": np.array([0, 2, 5]),
    "edge_index": np.array([[0, 1, 0, 1], [1, 0, 2, 2]], np.uint8),
    "edge_ptr": np.array([0, 2, 4]),
    "label": np.array([0, 1], np.uint8),
    "node_truth": np.array([0, 0, 0, 1, 1], bool),
    "n_explanations": np.array([0, 1]),
    "split": np.array([0, 2], np.uint8),
    "mol_id": np.array(["m0", "m1"]),
}
DENSE = {
    "node_feat": np.full((3, 4, 2), 0.1, np.float16),
    "node_truth": np.eye(4, dtype=bool)[:3],
    "edge_index": np.array([[0, 1, 2, 3], [1, 0, 3, 2]]),
    "edge_ptr": np.array([0, 2, 2, 4]),
    "label": np.array(["no", "yes", "no"]),
}


def saved(path, arrays, **changes):
    kept = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(path, allow_pickle=False, **kept)
    return path


def in_file(record):
    """A record's types and edges by the numbers that its nodes have in the file."""
    numbers = record.graph.numbers
    types = [record.tokens[place] for place in np.argsort(numbers)]
    return types, sorted((numbers[a], numbers[b]) for a, b in record.graph.edges)


def test_flat_arrays_hold_types_ids_splits_and_marks_of_some(tmp_path):
    source = read_file(saved(tmp_path / "x.npz", FLAT))
    first, second = source
    assert (first.id, second.id) == ("m0", "m1") and source.label_names == ("0", "1")
    assert in_file(first) == (["C", "O"], [(0, 1), (1, 0)])
    assert in_file(second) == (["C", "N", "S"], [(0, 2), (1, 2)])
    assert first.rationale is None
    assert [second.rationale[place] for place in np.argsort(second.graph.numbers)] == [0, 1, 1]
    (test,) = read_file(tmp_path / "x.npz", split="test", label_names=source.label_names)
    assert test == second


def test_a_name_that_comes_again_gets_its_graphs_number(tmp_path):
    again = {"mol_id": np.array(["m", "m"])}
    records = read_file(saved(tmp_path / "x.npz", FLAT, **again))
    assert [record.id for record in records] == ["m", "m (graph 2)"]
    (test,) = read_file(tmp_path / "x.npz", split="test", label_names=("0", "1"))
    assert test.id == "m (graph 2)"


def test_dense_arrays_lose_features_that_say_nothing(tmp_path):
    source = read_file(saved(tmp_path / "x.npz", DENSE))
    assert [len(r.tokens) for r in source] == [4, 4, 4]
    assert [len(r.graph.edges) for r in source] == [2, 0, 2]
    assert source[0].graph.features == () and source[0].id == "x-1"
    features = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    own = read_file(saved(tmp_path / "y.npz", DENSE, node_feat=features))[1].graph
    np.testing.assert_array_equal(own.features, features[1][list(own.numbers)])


def test_the_order_of_the_nodes_says_nothing_and_is_always_the_same(tmp_path):
    many = {
        "node_truth": np.repeat([[False, True]], [8, 2], axis=1).repeat(50, 0),
        "edge_index": np.zeros((2, 0), int),
        "edge_ptr": np.zeros(51, int),
        "label": np.arange(50) % 2,
    }
    source = read_file(saved(tmp_path / "x.npz", many))
    places = np.mean([np.flatnonzero(record.rationale) for record in source])
    assert 3 < places < 6  # they are all 8.5 in the file
    assert source.fingerprint == read_file(tmp_path / "x.npz").fingerprint


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label": None}, "no array 'label'"),
        ({"node_ptr": None, "node_truth": None}, "no array 'node_ptr'"),
        ({"node_ptr": np.array([0, 3, 2])}, "node_ptr does not fit"),
        ({"edge_ptr": np.array([0, 2, 5])}, "edge_ptr does not fit"),
        ({"edge_index": np.zeros((4, 2), int)}, r"edge_index is not \[2, edges\]"),
        (
            {"node_truth": np.zeros(4, bool)},
            "node_truth is not of as many nodes as the graphs have",
        ),
        ({"atom": np.array([0, 0, 0, 0, 99])}, "atom holds an unknown number"),
        ({"split": np.array([0, 7])}, "split is not 0, 1 or 2"),
    ],
)
def test_arrays_that_do_not_fit_are_told(tmp_path, changes, told):
    path = saved(tmp_path / "x.npz", FLAT, **changes)
    with pytest.raises(DataError, match=rf"x.npz: {told}; write the arrays"):
        read_file(path)


def test_an_edge_to_a_missing_node_names_the_graph(tmp_path):
    path = saved(tmp_path / "x.npz", FLAT, edge_index=np.array([[0, 1, 0, 9], [1, 0, 2, 2]]))
    with pytest.raises(BadRows, match=r"x.npz, line 2: edge 1 \[9, 2\] names a node"):
        read_file(path)


def test_no_pickle_is_ever_read(tmp_path):
    np.savez(tmp_path / "x.npz", label=np.array([{}, {}], object))
    with pytest.raises(DataError, match=r"not a readable NumPy file .*plain numbers"):
        read_file(tmp_path / "x.npz")
    for name in ("x.pkl", "x.pt"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(DataError, match=r"pickle, which may run any code.*; write its arrays"):
            read_file(tmp_path / name)
    (tmp_path / "y.npz").write_bytes(b"PK no zip")
    np.save(tmp_path / "z.npy", np.zeros(2))
    (tmp_path / "z.npy").rename(tmp_path / "z.npz")
    for name in ("y.npz", "z.npz"):
        with pytest.raises(DataError, match=f"{name}: "):
            read_file(tmp_path / name)


def test_a_file_of_all_splits_needs_no_other(tmp_path):
    path = saved(tmp_path / "x.npz", FLAT)
    data = ConfigDict({"name": "graphs", "train": str(path), "dev": "", "test": "", "labels": ()})
    assert [r.id for r in open_split(data, "train", ("0", "1"))] == ["m0"]
    assert [r.id for r in open_split(data, "test", ("0", "1"))] == ["m1"]
    with pytest.raises(UserError, match=r"x.npz holds no dev split; name one by --config.data.dev"):
        open_split(data, "dev")
    first, second = check_files([path]).files
    assert (first.file, second.texts) == (f"{path} (train)", 1)


@pytest.mark.skipif(not COPIES.exists(), reason="needs the public copies")
def test_the_public_copies_are_as_published():
    source = read_file(COPIES / "ba2motifs" / "ba2motifs.npz")
    assert len(source) == 1000 and {sum(r.rationale) for r in source} == {5}
    assert sum(len(r.graph.edges) for r in source) == 50960
    assert {r.tokens for r in source} == {("node",) * 25}
    places = np.mean([np.flatnonzero(r.rationale).mean() for r in source])
    assert abs(places - 12) < 0.5
