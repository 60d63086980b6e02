"""Rows that are graphs: what is read, and what each bad one is told."""

import json

import pytest

from n2r_jax.data.check import check_files, render
from n2r_jax.data.files import read_file, scan_file
from n2r_jax.data.graph_key import graph_key
from n2r_jax.data.graph_rows import parse_graph, undirected
from n2r_jax.data.problems import RowProblem
from n2r_jax.data.records import Graph
from n2r_jax.errors import DataError
from tests import graphs


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_edges_go_both_ways_once_and_directed_ones_as_they_are():
    edges = [[2, 0], [0, 2], [1, 1]]
    nodes, graph = parse_graph({"num_nodes": 3, "edges": edges})
    assert nodes == ("node",) * 3
    assert graph.edges == ((0, 2), (1, 1), (2, 0))
    assert undirected(graph.edges) == [(0, 2), (1, 1)]
    _, graph = parse_graph({"nodes": ["C", "O", 7], "edges": [[2, 0]], "directed": True})
    assert graph.edges == ((2, 0),)


def test_a_file_of_graphs_is_read_like_one_of_texts(tmp_path):
    source = read_file(graphs.write_rows(tmp_path / "a.jsonl", "train", 6))
    row, record = graphs.row("train", 3), source[3]
    assert (record.id, record.tokens) == ("train-3", tuple(row["nodes"]))
    assert source.label_names[record.label] == row["label"]
    assert record.rationale == tuple(row["rationale"]) and sum(record.rationale) == 2
    assert undirected(record.graph.edges) == sorted((b, a) for a, b in row["edges"])
    changed = graphs.write_rows(tmp_path / "b.jsonl", "train", 6, edges=[[0, 1]])
    assert read_file(changed).fingerprint != source.fingerprint


def test_features_are_numbers_of_every_node():
    fields = {"num_nodes": 2, "edges": []}
    assert parse_graph(fields | {"features": [[1, 2], [0.5, 3]]})[1].features == ((1, 2), (0.5, 3))
    for bad in ([[1]], [[1], [2, 3]], [[1], ["a"]], [[1], [float("nan")]], [1, 2], "x"):
        with pytest.raises(RowProblem, match="as many numbers for every node"):
            parse_graph(fields | {"features": bad})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"nodes": ["C"], "edges": [[0, 1]]}, "edge 0 .* not; it has 1 nodes; number them from 0"),
        ({"nodes": ["C"], "edges": [[-1, 0]]}, "number them from 0"),
        ({"nodes": ["C"], "edges": [[0]]}, "not a pair; write edges as"),
        ({"nodes": ["C"], "edges": [[0, 0.0]]}, "not two integers"),
        ({"nodes": ["C"]}, r"no edges; .* \[\] for a graph without any"),
        ({"nodes": [], "edges": []}, "a graph without a node; remove the row"),
        ({"num_nodes": 0, "edges": []}, "a graph without a node"),
        ({"num_nodes": True, "edges": []}, "num_nodes is True"),
        ({"edges": [[0, 1]]}, "no nodes; give every graph"),
        ({"nodes": ["C", " "], "edges": []}, "node 1 is ' '"),
        ({"nodes": "CO", "edges": []}, "nodes are not a list"),
        ({"nodes": ["C"], "num_nodes": 2, "edges": []}, "leave num_nodes out"),
        ({"nodes": ["C"], "edges": [], "directed": 1}, "directed is 1"),
        ({"nodes": ["C"], "edges": [], "rationale": [1, 0]}, "2 flags for 1 nodes; .* every node"),
    ],
)
def test_a_bad_graph_is_one_line_with_file_row_and_mend(tmp_path, fields, told):
    good = {"nodes": ["C"], "edges": [], "label": "a"}
    (error,) = scan_file(written(tmp_path / "x.jsonl", good, fields | {"label": "a"})).errors
    assert error.line == 2 and "\n" not in str(error)
    with pytest.raises(DataError, match=f"x.jsonl, line 2: .*{told}"):
        raise error


def test_texts_and_graphs_do_not_share_a_file(tmp_path):
    graph, text = {"num_nodes": 1, "edges": [], "label": 0}, {"text": "so", "label": 0}
    (error,) = scan_file(written(tmp_path / "x.jsonl", graph, text)).errors
    assert "line 2: a text, line 1 is a graph; put texts and graphs" in str(error)


def test_a_text_stays_a_text_whatever_else_its_row_has(tmp_path):
    path = written(tmp_path / "x.jsonl", {"text": "so", "label": 0, "nodes": 3, "edges": "none"})
    assert read_file(path)[0].graph is None


def test_check_finds_a_graph_again_in_another_order(tmp_path):
    row = {"nodes": ["C", "O", "C"], "edges": [[0, 1], [1, 2], [0, 2]], "label": "a"}
    turned = row | {"nodes": ["O", "C", "C"]}
    other = row | {"edges": [[0, 1], [1, 2]]}
    paths = [written(tmp_path / "a.jsonl", row, other), written(tmp_path / "b.jsonl", turned)]
    report = check_files(paths)
    shown = render(report)
    assert list(report.shared.values()) == [1] and "share 1 graph" in shown
    assert "a.jsonl: 2 graphs" in shown and "nodes       5% 3" in shown
    assert "edges       mean 2.5" in shown


def test_equal_keys_are_of_equal_graphs():
    chain = Graph(((0, 1), (1, 0), (1, 2), (2, 1)))
    assert graph_key("CCO", chain) != graph_key("COC", chain)
    turned = Graph(((0, 1), (1, 0), (0, 2), (2, 0)))
    assert graph_key("COC", turned) == graph_key("CCO", chain)
    assert graph_key("CC", Graph((), ((1.0,), (2.0,)))) != graph_key("CC", Graph((), ((1.0,),) * 2))
