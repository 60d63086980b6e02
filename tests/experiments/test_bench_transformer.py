"""The transformer benchmark at tiny sizes: what it prints and writes, and both workers' shapes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import bench_machine, bench_transformer
from experiments.bench import OURS, TORCH
from experiments.bench_transformer import SMOKE, Turn

REPO = Path(__file__).parents[2]
FAKE = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "setup":
        rate = request["dropout"]
        print(json.dumps({"ok": True, "versions": {}}), flush=True)
    else:
        timed = 2 if request.get("clock") == "wall" else 3
        seconds = [SPEED * (timed if "clock" in request else 9)]
        print(json.dumps({"seconds": seconds, "peak_mb": 100 * SPEED + rate}), flush=True)
"""


@pytest.fixture
def commands(tmp_path):
    found = {}
    for name, speed in ((OURS, 1), (TORCH, 2)):
        script = tmp_path / f"{speed}.py"
        script.write_text(FAKE.replace("SPEED", str(speed)))
        found[name] = [sys.executable, script]
    return found


def test_every_turn_is_a_process_and_the_first_iteration_does_not_count(commands):
    turns = bench_transformer.measure(commands, {"dropout": 0.5}, rounds=2, repeat=1)
    assert turns[OURS] == [Turn(9, {"wall": 2, "processor": 3}, 100.5)] * 2
    assert turns[TORCH] == [Turn(18, {"wall": 4, "processor": 6}, 200.5)] * 2
    assert bench_transformer.summaries(turns, "wall")[OURS].median_ratio == 2
    record = bench_transformer.record({"a row": turns})
    assert record["a row"][OURS]["processor"]["ratio_of_medians"] == 2


def ask(command, requests, **environment):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        command,
        input=lines,
        capture_output=True,
        text=True,
        cwd=REPO,
        env={**os.environ, "XLA_FLAGS": "", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


REQUESTS = [
    {"do": "setup", **SMOKE, "order": "release", "dropout": 0.1},
    {"do": "train", "repeat": 2},
    {"do": "train", "clock": "processor"},
]


@pytest.mark.slow
def test_our_worker_iterates(tmp_path):
    command = [sys.executable, "-m", "experiments.bench_transformer_jax"]
    answers = ask(command, REQUESTS, JAX_COMPILATION_CACHE_DIR=str(tmp_path))
    assert answers[0]["versions"]["devices"] == "1"
    assert [len(answer["seconds"]) for answer in answers[1:]] == [2, 1]


@pytest.mark.slow
def test_pytorchs_worker_iterates():
    python = bench_machine.find_torch_python(REPO)
    if python is None:
        pytest.skip("no Python with PyTorch: set N2R_TORCH_PYTHON or run make bench once")
    answers = ask([python, REPO / "experiments" / "bench_transformer_torch.py"], REQUESTS)
    assert "torch" in answers[0]["versions"]
    assert [len(answer["seconds"]) for answer in answers[1:]] == [2, 1]
    assert min(answers[1]["seconds"]) > 0
