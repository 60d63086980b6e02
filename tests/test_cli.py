"""The command `n2r`: what it prints, what it writes, and how it refuses."""

import json
import shutil

import pytest

from n2r_jax import cli, runtime
from n2r_jax.data.reviews import Reviews
from tests import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return shutil.copytree(tiny.trained_run(), tmp_path_factory.mktemp("cli") / "run")


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


def explained(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_text_is_shown_with_its_prediction(n2r, run):
    code, out, _ = n2r("explain", "--run", run, "--text", "The staff were rude .")
    assert code == 0 and "staff were rude" in out
    assert any(label in out for label in ("negative", "positive")) and "%" in out


def test_a_file_is_explained_row_by_row_with_its_ids(n2r, run, tmp_path):
    source = tiny.write_rows(tmp_path / "rows.jsonl", "test", 21)
    code, out, _ = n2r("explain", "--run", run, "--in", source, "--out", tmp_path / "out.jsonl")
    assert code == 0 and "21 explanations" in out
    found = explained(tmp_path / "out.jsonl")
    assert [row["id"] for row in found] == [r.id for r in Reviews("test", size=21)]
    for row, record in zip(found, Reviews("test", size=21), strict=True):
        assert row["tokens"] == list(record.tokens)
        assert len(row["mask"]) == len(row["scores"]) == len(record.tokens)


def test_bad_rows_are_all_named_and_nothing_is_written(n2r, run, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "fine"}\n{"text": ""}\n{"tokens": "no list"}\n{broken\n')
    code, out, errors = n2r("explain", "--run", run, "--in", source, "--out", tmp_path / "o.jsonl")
    assert code == 2 and out == "" and errors.startswith("error: ")
    assert [f"line {i}:" in errors for i in (1, 2, 3, 4)] == [False, True, True, True]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


def test_what_cannot_be_explained_is_one_line(n2r, run, tmp_path):
    wrong = {
        "--out FILE": ("--run", run, "--in", "a.jsonl"),
        "no such file": ("--run", run, "--in", "a.jsonl", "--out", tmp_path / "o.jsonl"),
        "no run here": ("--run", tmp_path, "--text", "fine"),
        "no token": ("--run", run, "--text", "  "),
        "cannot be written": ("--run", run, "--in", "a.jsonl", "--out", tmp_path / "no/o.jsonl"),
    }
    for message, arguments in wrong.items():
        code, out, errors = n2r("explain", *arguments)
        assert code == 2 and out == "" and errors.count("\n") == 1
        assert errors.startswith("error: ") and message in errors
    assert not list(tmp_path.iterdir())


def test_evaluate_writes_where_it_is_told(n2r, run, tmp_path):
    data = tiny.write_rows(tmp_path / "mine.jsonl", "dev", 12)
    out_file = tmp_path / "deep" / "results.json"
    code, out, _ = n2r("evaluate", "--run", run, "--data", data, "--out", out_file)
    assert code == 0 and "arg-max masks" in out.replace("\n", " ")
    results = json.loads(out_file.read_text())
    assert results["task"]["inputs"] == 12 and results["origin"]["data"]["name"] == str(data)
    assert not (run / "results.json").exists()


def test_results_that_cannot_be_written_are_one_line_below_the_tables(n2r, run, tmp_path):
    (tmp_path / "taken").mkdir()
    for wrong in (tmp_path / "taken", tmp_path / "mine.jsonl" / "results.json"):
        data = tiny.write_rows(tmp_path / "mine.jsonl", "dev", 12)
        code, out, errors = n2r("evaluate", "--run", run, "--data", data, "--out", wrong)
        assert code == 2 and "accuracy" in out.lower() and "written to" not in out
        assert errors.startswith(f"error: {wrong}: cannot be written") and errors.count("\n") == 1
        assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.jsonl", "taken"]


def test_sampled_masks_come_from_their_seed(n2r, run, tmp_path):
    found = []
    for index, seed in enumerate((7, 7, 8)):
        path = tmp_path / f"{index}.json"
        assert n2r("evaluate", "--run", run, "--sample", seed, "--out", path)[0] == 0
        found.append(json.loads(path.read_text()))
    same, again, other = (f["selection"]["selected"] for f in found)
    assert found[0]["origin"]["masks"] == "sampled, seed 7" and same > 0
    assert found[0] == found[1] and same == again != other


def test_a_label_that_the_run_does_not_know_is_named_with_its_line(n2r, run, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "good", "label": "positive"}\n{"text": "so", "label": "mixed"}\n')
    code, _, errors = n2r("evaluate", "--run", run, "--data", path)
    assert code == 2 and "line 2" in errors and "mixed" in errors
    assert not (run / "results.json").exists()


def test_data_check_tells_shared_texts_by_its_exit_code(n2r, tmp_path):
    one, two = (tiny.write_rows(tmp_path / f"{n}.jsonl", "dev", 6) for n in ("one", "two"))
    assert n2r("data", "check", one)[0] == 0
    code, out, _ = n2r("data", "check", one, two)
    assert code == 1 and "share 6 texts" in out
    assert n2r("data", "check", one, two, "--allow-shared")[0] == 0
    two.write_text("{}\n")
    assert n2r("data", "check", one, two)[0] == 2


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "--help"], []])
def test_help_is_there_before_jax_is(arguments):
    program = (
        "import sys; from n2r_jax import cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'numpy', 'absl', 'rich', 'orbax', 'grain'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    process = tiny.start("-c", program, *arguments)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "usage: n2r" in out + errors
