"""A graph run from its rows to every command: it works from the run directory alone."""

import json
import shutil

import numpy as np
import pytest

import n2r_jax
from n2r_jax.cli import main
from n2r_jax.errors import UserError
from n2r_jax.evaluate import evaluate, run_on
from n2r_jax.faithful import masked_run
from n2r_jax.inference import TrainedRun
from n2r_jax.members import members_of
from n2r_jax.probe.command import probe
from n2r_jax.probe.exclusion import exclusion
from n2r_jax.train import train
from n2r_jax.train_several import train_several
from tests import graphs, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    copied = tmp_path_factory.mktemp("graphs") / "run"
    shutil.copytree(graphs.trained_run(), copied)
    return copied


def test_it_learns_and_says_what_it_reads(run):
    dev = [line for line in tiny.lines(run) if line["split"] == "dev"]
    assert dev[-1]["cross_entropy"] < dev[0]["cross_entropy"]
    found = TrainedRun(run)
    assert found.inputs.types.words == ("C", "F", "N", "O") and found.inputs.reads == "graphs"


def test_every_method_of_the_table_trains_on_graphs(tmp_path):
    fields = {"training__epochs": 1, "batching__buckets": ()}
    for method in ("rnp", "n2r", "classifier"):
        train(graphs.config(tmp_path, method=method, **fields), str(tmp_path / method))
        assert np.isfinite(tiny.lines(tmp_path / method)[-1]["cross_entropy"])


def test_continuity_is_refused_in_one_line(tmp_path):
    told = "config.objective.lambda_continuity is 2.0, and nodes of a graph stand in no order"
    with pytest.raises(UserError, match=told):
        train(graphs.config(tmp_path, objective__lambda_continuity=2.0), str(tmp_path / "run"))


def test_evaluate_and_compare(run, capsys):
    data = str(graphs.write_rows(run.parent / "new.jsonl", "new", 10))
    assert main(["evaluate", "--run", str(run), "--data", data, "--faithfulness"]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["overlap"]["micro"]["random"]["f1"] > 0
    shutil.copytree(run, run.parent / "other")
    assert main(["compare", str(run), str(run.parent / "other"), "--data", data]) == 0


def test_explain_prints_the_selected_nodes_and_the_edges_between_them(run, capsys):
    row = graphs.row("new", 1)
    graph = {"nodes": row["nodes"], "edges": row["edges"]}
    assert main(["explain", "--run", str(run), "--graph", json.dumps(graph)]) == 0
    shown = capsys.readouterr().out
    (found,) = n2r_jax.load(run).explain([graph])
    chosen = [f"{i}{row['nodes'][i]}" for i, selected in enumerate(found.mask) if selected]
    assert (
        f"selected {len(chosen)} of {len(found.mask)} nodes: {' '.join(chosen) or 'none'}" in shown
    )
    assert "edges: " in shown
    assert found.spans == () and len(found.edges) == len(row["edges"])


def test_explain_of_a_file_carries_edges(run, tmp_path):
    rows, out = graphs.write_rows(tmp_path / "a.jsonl", "new", 5), tmp_path / "b.jsonl"
    assert main(["explain", "--run", str(run), "--in", str(rows), "--out", str(out)]) == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [own["id"] for own in found] == [f"new-{number}" for number in range(5)]
    assert found[0]["edges"] == sorted(sorted(edge) for edge in graphs.row("new", 0)["edges"])


def test_what_a_graph_run_cannot_do_is_one_line(run, tmp_path, capsys):
    out = str(tmp_path / "x")
    for command, told in (
        (["explain", "--run", str(run), "--text", "so"], "is a text, and config.model.name=gcn"),
        (["explain", "--run", str(run), "--graph", "{"], "--graph is not JSON"),
        (["explain", "--run", str(run), "--graph", '{"nodes": ["C"]}'], "no edges; write edges"),
        (["serve", "--run", str(run)], "n2r serve is for texts, this run is of graphs"),
        (["export", "iob2", "--run", str(run), "--out", out], "iob2 holds texts, the run is of"),
    ):
        assert main(command) == 2
        assert told in capsys.readouterr().err
    text = ["export", "pyg", "--run", str(tiny.trained_run()), "--out", out]
    assert main(text) == 2
    assert "pyg holds graphs, the run is of texts; take eraser" in capsys.readouterr().err


def test_arrays_say_what_the_run_says(run, tmp_path):
    for name in ("pyg", "quantus"):
        out = str(tmp_path / f"{name}.npz")
        assert main(["export", name, "--run", str(run), "--out", out]) == 0
    evaluation = run_on(TrainedRun(run))
    with np.load(tmp_path / "pyg.npz") as pyg, np.load(tmp_path / "quantus.npz") as quantus:
        mask = evaluation.outputs.mask[evaluation.valid]
        np.testing.assert_array_equal(pyg["node_mask"].ravel(), mask)
        np.testing.assert_array_equal(pyg["pred"], evaluation.outputs.probabilities.argmax(-1))
        np.testing.assert_array_equal(pyg["node_gold"].ravel(), evaluation.gold[evaluation.valid])
        longest = quantus["length"].max()
        own = (evaluation.outputs.scores * evaluation.valid)[:, :longest]
        np.testing.assert_allclose(quantus["a_batch"][:, 0], own, atol=1e-5)


def test_a_model_that_was_exported_says_the_same(run, tmp_path):
    assert main(["export", "model", "--run", str(run), "--out", str(tmp_path / "model")]) == 0
    given = [graphs.row("new", number) for number in range(4)]
    found = [n2r_jax.load(path).explain(given) for path in (run, tmp_path / "model")]
    assert found[0] == found[1]
    card = (tmp_path / "model" / "README.md").read_text()
    assert "A graph classifier" in card and "no other node of the graph" in card
    assert "graph-ml" in card and "gcn" in card


def test_the_report_draws_graphs(run, tmp_path):
    out = tmp_path / "report.html"
    assert main(["report", "--run", str(run), "--out", str(out)]) == 0
    page = out.read_text()
    data = page.split('id="data">')[1].split("</script>")[0]
    example = json.loads(data)["examples"][0]
    row = graphs.row("test", 0)
    assert len(example["places"]) == 2 * len(row["nodes"])
    assert len(example["edges"]) == 2 * len(row["edges"])
    assert "Filled and black" in page and ">Graphs</a>" in page


def test_probes_hold_and_find_what_they_are_of(run):
    evaluation = run_on(TrainedRun(run), sample_seed=1)
    found = probe(evaluation)
    assert found["exclusion"]["holds"] and found["exclusion"]["control"]["changed_texts"] > 0
    assert found["padding"]["holds"]

    def reads_all(texts, mask):
        return masked_run(evaluation.trained)(texts, np.ones_like(mask))

    assert exclusion(evaluation, reads_all)["holds"] is False


@pytest.mark.slow
@pytest.mark.parametrize("method", ["aa_ig", "aa_fp", "dlm_fp", "slm_fp", "sgt", "a2r", "l2e"])
def test_unirex_explains_graphs(tmp_path, method):
    short = {"training__epochs": 2, "unirex__k": (20, 50)}
    shared = method.startswith("slm")
    made = graphs.config(tmp_path, method=method, encoder__shared=shared, **short)
    train(made, str(tmp_path / "run"))
    report, _ = evaluate(tmp_path / "run", faithfulness=True)
    assert report.faithfulness["k"] == [20, 50]
    assert run_on(TrainedRun(tmp_path / "run")).outputs.mask.sum() > 0


@pytest.mark.slow
def test_seeds_of_a_graph_run_are_the_single_runs(tmp_path):
    short = {"training__epochs": 1}
    together = graphs.config(tmp_path, **short)
    with together.unlocked():
        together.seeds = (1, 2)
    train_several(together, str(tmp_path / "all"))
    (second,) = [member for member in members_of(together) if member.config.seed == 2]
    train(second.config, str(tmp_path / "alone"))
    found, wanted = (tiny.lines(tmp_path / path)[-1] for path in (f"all/{second.name}", "alone"))
    assert found["cross_entropy"] == pytest.approx(wanted["cross_entropy"], rel=1e-4)
