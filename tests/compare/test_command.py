"""`n2r compare` as a user runs it: tables on the terminal, for a paper and for a spreadsheet."""

import csv
import json
import shutil

import numpy as np
import pytest

from n2r_jax import cli, runtime
from n2r_jax.compare.inputs import input_scores
from n2r_jax.data.records import Record
from n2r_jax.inference import TrainedRun
from tests import tiny
from tests.report.test_examples import evaluation_of
from tests.score.eraser_files import write_lines


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs with other masks (see `platform`); one has a name that LaTeX would choke on."""
    folder = tmp_path_factory.mktemp("compare")
    made = [shutil.copytree(tiny.trained_run(), folder / name) for name in ("n2r_50%", "other")]
    change_config(made[1], lambda config: config.update(seed=2))
    return made


def change_config(run, change):
    config = json.loads((run / "config.json").read_text())
    change(config)
    (run / "config.json").write_text(json.dumps(config))


@pytest.fixture(autouse=True)
def platform(monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)
    real = TrainedRun.rationalize  # at arg-max the tiny models select hardly anything
    sampled = lambda self, texts, **_: real(self, texts, sample_seed=self.config.seed)  # noqa: E731
    monkeypatch.setattr(TrainedRun, "rationalize", sampled)


@pytest.fixture
def n2r(capsys):
    def command(*arguments):
        code = cli.main([str(a) for a in arguments])
        return (code, *capsys.readouterr())

    return command


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_are_printed_and_written(n2r, runs, tmp_path):
    out = tmp_path / "compared"
    code, printed, errors = n2r("compare", *runs, "--resamples", 50, "--out", out)
    assert code == 0 and not errors and "n2r_50%" in printed and "Wilcoxon" in printed
    found = json.loads((out / "comparison.json").read_text())
    assert [run["run"] for run in found["runs"]] == ["n2r_50%", "other"]
    assert found["inputs"] == {"all": 20, "annotated": 20, "with a gold token": 20}
    first, second = rows_of(out / "runs.csv")
    (difference,) = rows_of(out / "differences.csv")
    moved = float(second["f1_micro"]) - float(first["f1_micro"])
    assert moved != 0 and float(difference["f1_micro"]) == pytest.approx(moved)
    assert float(difference["f1_micro_low"]) <= moved <= float(difference["f1_micro_high"])
    assert 0 <= float(difference["wilcoxon_p_value"]) <= 1
    latex = (out / "comparison.tex").read_text()
    assert r"n2r\_50\% & " in latex and latex.count(r"\toprule") == 2


def test_what_was_cut_or_never_marked_is_said(n2r, runs, tmp_path):
    rows = [{"tokens": ["word"] * 40, "label": "positive"}, {"text": "fine", "label": "negative"}]
    source = write_lines(tmp_path / "rows.jsonl", rows)
    code, printed, _ = n2r("compare", *runs, "--data", source, "--resamples", 9)
    assert code == 0 and "other cut 1 of 2 texts" in printed and "no text has a gold" in printed


def test_what_cannot_be_compared_is_one_line(n2r, runs, tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", [{"text": "fine", "label": "positive"}])
    third = shutil.copytree(runs[1], tmp_path / "third")
    change_config(third, lambda config: config["data"].update(sizes=[36, 20, 10]))
    wrong = {
        "name two or more": (runs[0],),
        "named twice": (runs[0], runs[0]),
        "no run here": (runs[0], tmp_path),
        "at least 1": (*runs, "--resamples", 0),
        "no such file": (*runs, "--data", tmp_path / "other.jsonl"),
        "not the same texts": (runs[0], third),
        "cannot be written": (*runs, "--data", source, "--resamples", 2, "--out", source / "o"),
    }
    for message, arguments in wrong.items():
        code, _, errors = n2r("compare", *arguments)
        assert code == 2 and errors.count("\n") == 1 and message in errors, errors


def test_tokens_that_were_not_read_count_as_not_selected():
    record = Record("r", tuple("abcdef"), 1, (1, 1, 0, 0, 1, 1))
    found = input_scores(evaluation_of(record, 3, [[1, 0, 1]], [[0.1, 0.9]]))
    np.testing.assert_array_equal(found.counts, [[2, 4, 1, 6]])
    assert found.f1[0] == pytest.approx(2 / 6) and found.correct[0] == 1


def test_the_rows_of_a_question_are_one_input():
    record = Record("q", ("a", "b"), 0, (0, 1), choices=(("x",), ("y",)))
    rows = [[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]  # Q: a b A: x
    found = input_scores(evaluation_of(record, 5, rows, [[0.1, 0.9]] * 2))
    np.testing.assert_array_equal(found.counts, [[2, 2, 1, 10]])
    assert found.f1.tolist() == [0.5] and found.correct.tolist() == [0]
