"""Exports as arrays: PyG's masks of graphs, Quantus' batches of texts and graphs."""

import dataclasses

import numpy as np

from n2r_jax.export import FORMATS
from n2r_jax.export.pyg import arrays as pyg_arrays
from n2r_jax.export.quantus import arrays as quantus_arrays
from tests.export.made import LABELS, predicted, target
from tests.graphs import record


def of_graph(nodes, edges, mask, *, features=(), numbers=(), **fields):
    graph = dataclasses.replace(record(nodes, edges, features).graph, numbers=numbers)
    return predicted(nodes, tuple(nodes), mask, graph=graph, **fields)


ROWS = [
    of_graph("CON", [(0, 1), (1, 2)], (1, 1, 0), truth="neg", gold=(0, 1, 1), numbers=(2, 0, 1)),
    of_graph("CC", [], (0, 1), truth=None, label="neg", gold=None),
    of_graph("CCO", [(1, 2), (2, 2)], (0, 1, 1), gold=(0, 0, 0)),
]


def loaded(name, path, rows):
    notes = FORMATS[name].load()(iter(rows), target(path))
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}, notes


def test_pyg_numbers_the_nodes_of_all_graphs(tmp_path):
    found, _ = loaded("pyg", tmp_path / "x.npz", ROWS)
    assert found["ptr"].tolist() == [0, 3, 5, 8] and found["edge_ptr"].tolist() == [0, 4, 4, 7]
    assert found["batch"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    edges = [(0, 1), (1, 0), (1, 2), (2, 1), (6, 7), (7, 6), (7, 7)]
    assert found["edge_index"].T.tolist() == list(map(list, edges))
    assert found["node_mask"].shape == (8, 1) and found["node_mask"].dtype == np.float32
    assert found["node_mask"].ravel().tolist() == [1, 1, 0, 0, 1, 0, 1, 1]
    assert found["edge_mask"].tolist() == [1, 1, 0, 0, 1, 1, 1]
    assert found["node_gold"].ravel().tolist() == [0, 1, 1, 0, 0, 0, 0, 0]
    assert found["has_gold"].tolist() == [True, False, True]
    assert found["y"].tolist() == [0, -1, 0] and found["pred"].tolist() == [1, 0, 1]
    assert found["node_number"].tolist() == [2, 0, 1, 0, 1, 0, 1, 2]
    assert "".join(found["node_type"]) == "CONCCCCO" and tuple(found["label_names"]) == LABELS
    assert "x" not in found


def test_pyg_has_features_where_nodes_have_them():
    row = of_graph("CO", [(0, 1)], (1, 0), features=[[1, 2], [3, 4]])
    np.testing.assert_array_equal(pyg_arrays([row], LABELS)["x"], [[1, 2], [3, 4]])


def test_quantus_has_batches_of_one_channel_with_padding(tmp_path):
    texts = [predicted("a", ("so", "it", "is"), (1, 0, 1), gold=(0, 0, 1)), *ROWS[1:2]]
    found, notes = loaded("quantus", tmp_path / "x.npz", texts)
    assert notes == ["1 rows have no marks: leave them out by has_gold"]
    for name in ("x_batch", "a_batch", "s_batch", "m_batch"):
        assert found[name].shape == (2, 1, 3)
    words = ["", *found["vocabulary"]]
    assert [words[int(i)] for i in found["x_batch"][0, 0]] == ["so", "it", "is"]
    assert [words[int(i)] for i in found["x_batch"][1, 0]] == ["C", "C", ""]
    np.testing.assert_allclose(found["a_batch"][:, 0], [[0.9, 0.125, 0.9], [0.125, 0.9, 0]])
    assert found["s_batch"].dtype == bool and found["s_batch"][:, 0].sum(1).tolist() == [1, 0]
    assert found["y_batch"].tolist() == [1, 0] and found["y_true"].tolist() == [0, -1]
    assert found["length"].tolist() == [3, 2]


def test_no_rows_make_empty_arrays():
    assert pyg_arrays([], LABELS)["edge_index"].shape == (2, 0)
    assert quantus_arrays([], LABELS)["x_batch"].shape == (0, 1, 0)
