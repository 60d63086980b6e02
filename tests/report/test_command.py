"""`n2r report` as a user runs it: runs, a file of texts, and what is refused."""

import json
import re
import shutil

import pytest

from n2r_jax import cli, runtime
from n2r_jax.evaluate import evaluate
from n2r_jax.report.tables import faithfulness_table
from tests import tiny
from tests.score.eraser_files import write_lines


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run, a copy of it under another name, and one that was only loaded from elsewhere."""
    folder = tmp_path_factory.mktemp("report")
    made = [shutil.copytree(tiny.trained_run(), folder / name) for name in ("one", "two")]
    bare = shutil.copytree(made[0], folder / "bare", ignore=lambda *_: ["metrics.jsonl"])
    return [*made, bare]


@pytest.fixture(autouse=True)
def platform(monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)


@pytest.fixture
def n2r(capsys):
    def command(*arguments):
        code = cli.main([str(a) for a in arguments])
        return (code, *capsys.readouterr())

    return command


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_two_runs_stand_side_by_side_on_the_same_text(n2r, runs, tmp_path):
    out = tmp_path / "deep" / "report.html"
    command = ("report", "--run", runs[0], "--run", runs[1], "--out", out)
    code, printed, errors = n2r(*command)
    assert code == 0 and not errors and str(out) in printed
    page = out.read_text(encoding="utf-8")
    data = data_of(page)
    assert data["runs"] == ["one", "two"] and data["labels"] == ["negative", "positive"]
    assert len(data["examples"]) == 20
    assert all(first == second for first, second in (text["runs"] for text in data["examples"]))
    for part in (
        "Summary (%, with 95 % intervals)",
        "one: random",
        "two: ceiling",
        "Confusion of two",
        "Learning curves on dev",
        "F1 of what is best-scored",
        "objective.sparsity",
        "versions",
        "fingerprint",
    ):
        assert part.lower() in page.lower(), part
    assert "(differs)" not in page and str(runs[0].parent) not in page
    code, _, errors = n2r(*command)
    assert code == 2 and "exists already" in errors and errors.count("\n") == 1
    assert n2r(*command, "--overwrite")[0] == 0


def test_faithfulness_is_there_where_it_is_asked_for(n2r, runs, tmp_path):
    out = tmp_path / "o.html"
    options = ("report", "--run", runs[0], "--run", runs[1], "--out", out)
    assert n2r(*options, "--faithfulness")[0] == 0
    page = out.read_text(encoding="utf-8")
    assert "one: comprehensiveness" in page and "two: sufficiency" in page
    assert "How much the probability of the predicted label falls" in page
    assert "what is removed is" in page
    found = evaluate(runs[0], faithfulness=True)[0].faithfulness
    assert f"{found['comprehensiveness']['selected']:.3f}</td>" in page
    assert n2r(*options, "--overwrite")[0] == 0
    assert "one: comprehensiveness" not in out.read_text(encoding="utf-8")


def test_shares_of_runs_that_differ_in_k_stand_in_their_own_columns():
    def section(k):
        score = {"per_k": [share / 100 for share in k], "aopc_k": 0.1, "aopc_k_plus_1": 0.2}
        scores = dict.fromkeys(("comprehensiveness", "sufficiency", "csd"), score | {"selected": 1})
        return scores | {"k": k}

    table = faithfulness_table({"fresh": section([100.0]), "aa": section([1, 20])})
    assert table.headings[3:] == ("top 1 %", "top 20 %", "top 100 %", "own masks")
    assert [row[3:] for row in table.rows[::3]] == [
        ["", "", "1.000", "1.000"],
        ["0.010", "0.200", "", "1.000"],
    ]


def test_what_is_missing_is_said(n2r, runs, tmp_path):
    """No gold, no metrics.jsonl, and fewer texts than there are."""
    source = write_lines(tmp_path / "r.jsonl", [{"text": t, "label": "positive"} for t in "abc"])
    out = tmp_path / "o.html"
    options = ("--data", source, "--out", out, "--texts", 2)
    assert n2r("report", "--run", runs[2], *options)[0] == 0
    page = out.read_text(encoding="utf-8")
    assert "no learning curves" in page and "no curve of F1" in page
    assert "none of the inputs has a gold rationale" in page and "The first 2 of 3 texts" in page


def test_what_cannot_be_shown_is_one_line_and_nothing_is_written(n2r, runs, tmp_path):
    one = write_lines(tmp_path / "rows.jsonl", [{"text": "fine", "label": "positive"}])
    out = tmp_path / "o.html"
    wrong = {
        "no run here": ("--run", tmp_path, "--out", out),
        "named twice": ("--run", runs[0], "--run", runs[0], "--out", out),
        "no such file": ("--run", runs[0], "--data", tmp_path / "none.jsonl", "--out", out),
        "is a directory": ("--run", runs[0], "--data", one, "--out", tmp_path),
        "cannot be written": ("--run", runs[0], "--data", one, "--out", one / "o.html"),
        "at least 1": ("--run", runs[0], "--data", one, "--out", out, "--texts", 0),
    }
    for message, arguments in wrong.items():
        code, printed, errors = n2r("report", *arguments)
        assert code == 2 and printed == "" and errors.count("\n") == 1, message
        assert errors.startswith("error: ") and message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
