"""`n2r probe` as a user runs it: lines, numbers, pictures and an exit code."""

import json
import shutil

import pytest

from n2r_jax import cli, runtime
from n2r_jax.probe import command
from tests import tiny
from tests.score.eraser_files import write_lines


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return shutil.copytree(tiny.trained_run(), tmp_path_factory.mktemp("probe") / "run")


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


def test_lines_numbers_and_pictures(n2r, run):
    code, printed, errors = n2r("probe", "--run", run)
    assert code == 0 and not errors
    assert "exclusion: nothing to see: 0 tokens are selected" in printed  # so tiny is the run
    assert "padding: nothing to see" in printed
    assert "at 0, 50 and 100 % gold" in printed
    found = json.loads((run / "probe" / "probe.json").read_text())
    assert found["origin"]["data"]["texts"] == 20
    assert set(found["definitions"]) == set(found) - {"origin", "definitions"}
    assert len(found["gold_share"]["accuracy"]) == 11
    for name in ("gold_share.png", "norm_by_count.png"):
        assert (run / "probe" / name).read_bytes().startswith(b"\x89PNG")


def test_a_certificate_is_told_with_its_control():
    found = {"applies": True, "holds": True, "texts": 3, "changed_labels": 0, "selected": 9}
    told = command._exclusion(found | {"control": {"changed_texts": 3}}, "rnp")
    assert told.startswith("holds: other unselected tokens moved no prediction of 3; with other")


def test_without_gold_or_labels_to_tell_apart_it_is_said(n2r, run, tmp_path):
    rows = [{"text": "fine staff", "label": "positive"}] * 3
    source = write_lines(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "found"
    code, printed, _ = n2r("probe", "--run", run, "--data", source, "--out", out)
    assert code == 0 and "no text has a gold token" in printed and "padding: holds" in printed
    assert "nothing to read: all texts have the same" in printed
    assert sorted(path.name for path in out.iterdir()) == ["norm_by_count.png", "probe.json"]


def test_what_does_not_hold_ends_with_1(n2r, run, tmp_path, monkeypatch):
    broken = {
        "applies": True, "holds": False, "texts": 3, "largest_change": 0.25, "changed_texts": 2,
        "changed_labels": 1, "control": {"changed_texts": 3},
    }  # fmt: skip
    monkeypatch.setattr(command, "exclusion", lambda *_: broken)
    code, printed, _ = n2r("probe", "--run", run, "--out", tmp_path / "o")
    assert (
        code == 1 and "BROKEN" in printed and "changed 1 of 3 labels" in " ".join(printed.split())
    )


def test_what_cannot_be_probed_is_one_line(n2r, run, tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", [{"text": "fine", "label": "positive"}])
    wrong = {
        "no run here": ("--run", tmp_path),
        "no such file": ("--run", run, "--data", tmp_path / "none.jsonl"),
        "cannot be written": ("--run", run, "--data", source, "--out", source / "o"),
    }
    for message, arguments in wrong.items():
        code, _, errors = n2r("probe", *arguments)
        assert code == 2 and errors.count("\n") == 1 and message in errors
