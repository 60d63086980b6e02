"""`n2r export` as a user runs it: a run, a file of texts, every format, and what is refused."""

import json

import pytest

from n2r_jax import cli, runtime
from n2r_jax.data.reviews import Reviews
from n2r_jax.export import FORMATS
from n2r_jax.inference import TrainedRun
from n2r_jax.score.eraser import score_eraser
from tests import tiny
from tests.score.eraser_files import annotation, evidence, write_directory, write_lines


@pytest.fixture(scope="module", autouse=True)
def run():
    """Trained before any output is caught."""
    return tiny.trained_run()


@pytest.fixture(autouse=True)
def platform(monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)
    real = TrainedRun.rationalize
    monkeypatch.setattr(TrainedRun, "rationalize", lambda s, t: real(s, t, sample_seed=3))


@pytest.fixture
def n2r(capsys):
    def command(*arguments):
        code = cli.main([str(a) for a in arguments])
        return (code, *capsys.readouterr())

    return command


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if "texts" in form.of])
def test_every_format_is_written_from_a_file(n2r, run, tmp_path, name):
    source = tiny.write_rows(tmp_path / "rows.jsonl", "test", 13)
    out = tmp_path / "out"
    command = ("export", name, "--run", run, "--data", source, "--out", out)
    code, printed, errors = n2r(*command)
    assert code == 0 and not errors and f"13 rows written to {out}" in printed
    code, _, errors = n2r(*command)
    assert code == 2 and "exists already" in errors and errors.count("\n") == 1
    assert n2r(*command, "--overwrite")[0] == 0


def test_texts_have_no_edges_to_write(n2r, run, tmp_path):
    code, _, errors = n2r("export", "pyg", "--run", run, "--out", tmp_path / "out")
    assert code == 2 and errors.count("\n") == 1 and "graphs" in errors


def test_eraser_is_scored_from_the_printed_command(n2r, run, tmp_path):
    """Without --data: the run's own test split."""
    out = tmp_path / "out"
    code, printed, _ = n2r("export", "eraser", "--run", run, "--out", out, "--aopc")
    assert code == 0 and "20 rows" in printed
    command = printed.splitlines()[-1].partition("n2r ")[2].split()[:-1]
    assert n2r(*command, tmp_path / "scores.json")[0] == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores.keys() == {
        "classification_scores",
        "iou_scores",
        "rationale_prf",
        "token_prf",
        "token_soft_metrics",
    }
    assert len(scores["classification_scores"]["sufficiency_aopc_points"]) == 5


def test_predictions_for_an_eraser_directory(n2r, run, tmp_path):
    """A text longer than the run reads: places count in the whole document."""
    words = list(Reviews("test", size=1)[0].tokens) * 2
    documents = {"d": " ".join(words[:50]), "e": "fine\nroom"}
    rows = [
        annotation("d", "negative", evidence("d", 40, 50)),
        annotation("e", "positive", evidence("e", 0, 1)),
    ]
    directory = write_directory(tmp_path / "data", documents, rows, split="val")
    out = tmp_path / "p.jsonl"
    options = ("--data", directory, "--split", "val", "--out", out)
    assert n2r("export", "eraser", "--run", run, *options)[0] == 0
    found = {row["annotation_id"]: row for row in map(json.loads, out.read_text().splitlines())}
    scores = found["d"]["rationales"][0]["soft_rationale_predictions"]
    assert len(scores) == 50 and all(scores[:32]) and not any(scores[32:])
    assert score_eraser(directory, out, "val")[0]["token_prf"]["instance_micro"]["r"] <= 1 / 11


def test_what_cannot_be_exported_is_one_line_and_nothing_is_written(n2r, run, tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", [{"text": "fine"}])
    wrong = {
        "no run here": ("eraser", "--run", tmp_path, "--data", source, "--out", tmp_path / "o"),
        "no label": ("eraser", "--run", run, "--data", source, "--out", tmp_path / "o"),
        "no such file": ("iob2", "--run", run, "--data", "none.csv", "--out", tmp_path / "o"),
        "is a directory": ("iob2", "--run", run, "--data", source, "--out", tmp_path),
        "cannot be written": ("r2a", "--run", run, "--data", source, "--out", source / "o"),
    }
    for message, arguments in wrong.items():
        code, printed, errors = n2r("export", *arguments)
        assert code == 2 and printed == "" and errors.count("\n") == 1
        assert errors.startswith("error: ") and message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    labelstudio = ("labelstudio", "--run", run, "--data", source, "--out", tmp_path / "o")
    assert n2r("export", *labelstudio)[0] == 0
