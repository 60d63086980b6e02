"""A run that may only be read, as on a shared disk, can be loaded, explained with and evaluated."""

import json
import os
import pathlib
import shutil
import sys

import pytest

import n2r_jax
from n2r_jax.evaluate import evaluate
from tests import tiny

NOBODY = 65534
WITHOUT_RIGHTS = (
    "import ctypes, sys\n"
    # Root obeys a file's mode only without its capabilities: capset(version 3, this process, none).
    "none = (ctypes.c_uint32 * 6)()\n"
    "assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), none) == 0\n"
)
COMMAND = WITHOUT_RIGHTS + "from n2r_jax import cli; sys.exit(cli.main(sys.argv[1:]))"
linux = pytest.mark.skipif(sys.platform != "linux", reason="capset is a call of Linux")


def everything(directory: pathlib.Path):
    """Every file and folder with its times, its mode and its content."""
    found = {}
    for path in (directory, *sorted(directory.rglob("*"))):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[path] = (status.st_mtime_ns, status.st_ctime_ns, status.st_mode, content)
    return found


def restrict(directory, folder_mode, file_mode):
    for path in (directory, *directory.rglob("*")):
        path.chmod(folder_mode if path.is_dir() else file_mode)


@pytest.fixture
def locked(tmp_path):
    """A run of somebody else, where we are root and can make it so, and read-only for all."""
    run = shutil.copytree(tiny.trained_run(), tmp_path / "run")
    if os.getuid() == 0:
        for path in (run, *run.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    restrict(run, 0o555, 0o444)
    before = everything(run)
    yield run
    assert everything(run) == before
    restrict(run, 0o755, 0o644)


def n2r(*arguments):
    """The command in a process that has no more rights than the modes of the files give it."""
    process = tiny.start("-c", COMMAND, *map(str, arguments))
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


@pytest.mark.parametrize("which", ["best", "latest"])
def test_loading_explaining_and_evaluating_leave_every_file_alone(locked, which, caplog):
    (found,) = n2r_jax.load(locked, which).explain(["The staff were rude ."])
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert evaluate(locked, which=which)[0].task["inputs"] == 20
    assert not caplog.records, "nothing to say about a run that is only read"


@linux
def test_the_other_process_may_not_write(locked):
    """The tests below would be empty if it might."""
    program = WITHOUT_RIGHTS + "open(sys.argv[1], 'w')"
    for path in (locked / "results.json", locked / "config.json", locked / "best" / "file"):
        _, errors = tiny.start("-c", program, str(path)).communicate(timeout=60)
        assert "PermissionError" in errors


@linux
@pytest.mark.slow
def test_explain_works_on_it(locked):
    code, out, errors = n2r("explain", "--run", locked, "--text", "The staff were rude .")
    assert (code, errors) == (0, "") and "staff were rude" in out


@linux
@pytest.mark.slow
def test_evaluate_prints_its_tables_and_says_in_one_line_that_it_cannot_write(locked, tmp_path):
    data = tiny.write_rows(tmp_path / "mine.jsonl", "dev", 12)
    command = ("evaluate", "--run", locked, "--data", data)
    code, out, errors = n2r(*command)
    assert code == 2 and "accuracy" in out.lower() and "written to" not in out
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert f"{locked / 'results.json'}: cannot be written (Permission denied)" in errors
    assert "--out FILE" in errors
    code, again, errors = n2r(*command, "--out", tmp_path / "results.json")
    assert (code, errors) == (0, "") and again.startswith(out)
    assert json.loads((tmp_path / "results.json").read_text())["task"]["inputs"] == 12
