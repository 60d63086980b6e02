"""`n2r serve`: where it listens, and what it says first."""

import gc
import json
import shutil
import sys

import pytest
import uvicorn

from n2r_jax import cli, runtime
from n2r_jax.data.rows import Parts
from n2r_jax.explain import Units
from n2r_jax.serve.command import is_loopback
from n2r_jax.serve.model import Asked, ServedRun
from tests import tiny


@pytest.fixture
def serve(monkeypatch, capsys):
    """The command, up to where it would listen: what uvicorn is told, and what is printed."""
    told = {}
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)
    monkeypatch.setattr(ServedRun, "warm_up", lambda run: told.update(run=run) or 2)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: told.update(options))

    def command(*arguments, run=None):
        code = cli.main(["serve", "--run", str(run or tiny.trained_run()), *arguments])
        return code, told, capsys.readouterr()

    return command


def test_it_listens_to_this_machine_alone(serve):
    code, told, printed = serve()
    assert code == 0 and (told["host"], told["port"]) == ("127.0.0.1", 8000)
    assert "page http://127.0.0.1:8000/" in printed.out and "warning" not in printed.out


def test_what_is_too_long_is_cut_also_where_training_would_refuse_it(serve, tmp_path):
    run = shutil.copytree(tiny.trained_run(), tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["data"]["too_long"] = "error"
    (run / "config.json").write_text(json.dumps(config))
    code, told, _ = serve(run=run)
    (found,) = told["run"]([Asked(Units(Parts(("fine",) * 40)))])
    assert code == 0 and found.unread == 8


def test_it_warns_where_it_is_open_to_others(serve):
    _, told, printed = serve("--host", "0.0.0.0", "--port", "81")
    assert (told["host"], told["port"]) == ("0.0.0.0", 81)
    assert "warning: 0.0.0.0 is open to the network" in printed.out


def test_a_missing_package_is_one_line(serve, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, printed = serve()
    assert code == 2 and printed.err.count("\n") == 1
    assert "pip install 'n2r_jax[serve]'" in printed.err


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("box", False)],
)
def test_what_is_only_this_machine(host, loopback):
    assert is_loopback(host) == loopback


def test_every_shape_is_compiled_before_the_first_question():
    from tests.serve.served import served_run

    served = served_run()
    assert served.warm_up() == len(served.shapes.all()) == 4
